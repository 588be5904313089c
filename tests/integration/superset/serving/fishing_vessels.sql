-- The serving tables of fishing vessels, filled for twelve vessels up to now, so that dashboards can be tried without sources and dbt.
-- Same columns and types as dbt's contracts.
set role ioc_transformer;
set timezone = 'Asia/Ho_Chi_Minh';

create table serving.rpt_fishing_vessels_current (
    vessel_code text,
    vessel_link text,
    state text,
    state_name text,
    state_order integer,
    state_color text,
    is_at_sea boolean,
    is_across boolean,
    is_near_line boolean,
    is_wrong_zone boolean,
    is_sos boolean,
    is_silent boolean,
    is_silent_long boolean,
    silent_h numeric,
    heard_at timestamptz,
    measured_at timestamptz,
    latitude double precision,
    longitude double precision,
    latitude_text text,
    longitude_text text,
    speed_kn double precision,
    course_deg double precision,
    line_distance_nm numeric,
    zone_name text,
    port_name text,
    length_m numeric,
    power_kw numeric,
    gear text,
    licence_until date,
    owner_masked text,
    owner_phone_masked text,
    commune_name text,
    is_registered boolean,
    registration_note text,
    as_of_at timestamptz,
    unit_code text
);

create table serving.rpt_fishing_vessels_hourly (
    hour_at timestamptz,
    unit_code text,
    unit_name text,
    at_sea_count bigint,
    near_line_count bigint,
    across_count bigint,
    wrong_zone_count bigint,
    sos_count bigint,
    silent_count bigint,
    silent_long_count bigint
);

create table serving.rpt_fishing_vessels_track (
    vessel_code text,
    measured_at timestamptz,
    received_at timestamptz,
    latitude double precision,
    longitude double precision,
    latitude_text text,
    longitude_text text,
    speed_kn double precision,
    course_deg double precision,
    line_distance_nm numeric,
    zone_name text,
    port_name text,
    state_name text,
    unit_code text
);

create table serving.rpt_fishing_vessels_episode (
    vessel_code text,
    vessel_link text,
    kind text,
    kind_name text,
    kind_order integer,
    opened_at timestamptz,
    closed_at timestamptz,
    is_open boolean,
    status_name text,
    duration_h numeric,
    reason_vi text,
    nearest_nm numeric,
    silent_h numeric,
    latitude double precision,
    longitude double precision,
    latitude_text text,
    longitude_text text,
    length_m numeric,
    owner_masked text,
    commune_name text,
    unit_code text
);

create table serving.rpt_fishing_vessels_port_call (
    vessel_code text,
    vessel_link text,
    direction text,
    direction_name text,
    port_code text,
    port_name text,
    happened_at timestamptz,
    seen_at timestamptz,
    reported_at timestamptz,
    evidence_name text,
    commune_name text,
    unit_code text
);

create table serving.rpt_fishing_vessels_quality (
    received_on date,
    unit_code text,
    fault text,
    fault_name text,
    message_count bigint,
    vessel_count bigint,
    mismatch_count bigint,
    unreadable_count bigint
);

create table serving.rpt_fishing_vessels_line (
    line_code text,
    line_name text,
    point_number integer,
    latitude double precision,
    longitude double precision,
    next_latitude double precision,
    next_longitude double precision,
    trust_name text,
    citation text
);

create temporary table vessel as
select
    'TH-' || (91000 + n) || '-TS' as vessel_code, n,
    (array['sos', 'vuot_ranh_gioi', 'mat_ket_noi_10_ngay', 'mat_ket_noi_6h', 'gan_ranh_gioi', 'sai_vung', 'tren_bien', 'trong_cang'])
        [least(n, 8)] as state,
    (array['Gặp sự cố (SOS)', 'Vượt ranh giới', 'Mất kết nối quá 10 ngày', 'Mất kết nối quá 6 giờ', 'Gần ranh giới',
        'Sai vùng khai thác', 'Đang hoạt động trên biển', 'Trong cảng'])[least(n, 8)] as state_name,
    (array['16531', '16561', '16078'])[1 + n % 3] as unit_code,
    (array['Phường Sầm Sơn', 'Phường Tĩnh Gia', 'Xã Vạn Lộc'])[1 + n % 3] as commune_name,
    19 + n * 0.05 as latitude, 106 + n * 0.1 as longitude
from generate_series(1, 12) as n;

insert into serving.rpt_fishing_vessels_current (
    vessel_code, vessel_link, state, state_name, state_order, state_color, is_at_sea, is_across, is_near_line, is_wrong_zone, is_sos,
    is_silent, is_silent_long, silent_h, heard_at, measured_at, latitude, longitude, latitude_text, longitude_text, speed_kn, course_deg,
    line_distance_nm, zone_name, port_name, length_m, power_kw, gear, licence_until, owner_masked, owner_phone_masked, commune_name,
    is_registered, registration_note, as_of_at, unit_code
)
select
    vessel_code, vessel_code, state, state_name, least(n, 8), '#607D8B', n < 8, n = 2, n = 5, n = 6, n = 1, n in (3, 4), n = 3, n, now(),
    now(), latitude, longitude, '19°08,3''B', '106°30,0''Đ', 5, 90, 40 - n, 'Vùng khơi', case when n >= 8 then 'Cảng cá Lạch Hới' end,
    17.5, 250, 'Lưới rê', current_date + 100, 'C*** T***', '*******001', commune_name, n < 12,
    case when n in (7, 12) then 'Không có trong sổ đăng ký' end, now(), unit_code
from vessel;

insert into serving.rpt_fishing_vessels_hourly
select date_trunc('hour', now()) - h * interval '1 hour', unit_code, commune_name, 4, 1, 1, 1, 1, 2, 1
from (select distinct unit_code, commune_name from vessel) as u
cross join generate_series(0, 24 * 30) as h;

insert into serving.rpt_fishing_vessels_track (
    vessel_code, measured_at, received_at, latitude, longitude, latitude_text, longitude_text, speed_kn, course_deg, line_distance_nm,
    zone_name, port_name, state_name, unit_code
)
select
    vessel_code, now() - h * interval '2 hours', now() - h * interval '2 hours', latitude + h * 0.01, longitude, '19°08,3''B',
    '106°30,0''Đ', 5, 90, 40 - h / 10.0, 'Vùng khơi', null, state_name, unit_code
from vessel
cross join generate_series(0, 100) as h;

insert into serving.rpt_fishing_vessels_episode (
    vessel_code, vessel_link, kind, kind_name, kind_order, opened_at, closed_at, is_open, status_name, duration_h, reason_vi, nearest_nm,
    silent_h, latitude, longitude, latitude_text, longitude_text, length_m, owner_masked, commune_name, unit_code
)
select
    vessel_code, vessel_code, state, state_name, n, now() - d * interval '1 day', case when d > 0 then now() - d * interval '20 hours' end,
    d = 0, case when d = 0 then 'Đang diễn ra' else 'Đã kết thúc' end, 4, 'Căn cứ', 3.2, null, latitude, longitude, '19°08,3''B',
    '106°30,0''Đ', 17.5, 'C*** T***', commune_name, unit_code
from vessel
cross join generate_series(0, 20, 4) as d
where n < 7;

insert into serving.rpt_fishing_vessels_port_call (
    vessel_code, vessel_link, direction, direction_name, port_code, port_name, happened_at, seen_at, reported_at, evidence_name,
    commune_name, unit_code
)
select
    vessel_code, vessel_code, case when d % 2 = 0 then 'vao' else 'ra' end, case when d % 2 = 0 then 'Vào cảng' else 'Ra cảng' end, 'LACH_HOI',
    'Cảng cá Lạch Hới', now() - d * interval '1 day', now() - d * interval '1 day', null, 'Định vị', commune_name, unit_code
from vessel
cross join generate_series(0, 20) as d;

insert into serving.rpt_fishing_vessels_quality
select current_date - d, unit_code, fault, name, 20, 3, 0, 0
from (select distinct unit_code from vessel) as u
cross join generate_series(0, 25) as d
cross join (values ('dung_duoc', 'Dùng được'), ('toa_do_khong', 'Tọa độ (0, 0)')) as f (fault, name);

insert into serving.rpt_fishing_vessels_line
select 'vinh_bac_bo', 'Đường phân định Vịnh Bắc Bộ', n, 21 - n * 0.3, 107.2, case when n < 10 then 20.7 - n * 0.3 end,
    case when n < 10 then 107.2 end, 'Đã đối chiếu', 'Hiệp định phân định Vịnh Bắc Bộ ngày 25/12/2000, Điều II'
from generate_series(1, 10) as n;

drop table vessel;
reset role;
reset timezone;
