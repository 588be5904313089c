-- The serving tables of air quality and of the pipeline's health, filled for six stations and 31 days up to now, so that
-- dashboards can be tried without sources and dbt. Same columns and types as dbt's contracts.
set role ioc_transformer;
set timezone = 'Asia/Ho_Chi_Minh';

create temporary table station as
select * from (values
    ('TH-HAC-THANH', 'Hạc Thành', '14797', 'Phường Hạc Thành', 19.8075, 105.7764, 60, 'SO-NNMT'),
    ('TH-BIM-SON', 'Bỉm Sơn', '14812', 'Phường Bỉm Sơn', 20.0792, 105.8600, 95, 'SO-NNMT'),
    ('TH-NGHI-SON', 'Nghi Sơn', '16654', 'Phường Nghi Sơn', 19.3270, 105.7930, 120, 'BQL-KKTNS'),
    ('TH-SAM-SON', 'Sầm Sơn', '16531', 'Phường Sầm Sơn', 19.7360, 105.9010, 40, 'SO-NNMT'),
    ('TH-LAM-SON', 'Lam Sơn', '15544', 'Xã Lam Sơn', 19.9280, 105.4080, 75, 'SO-NNMT'),
    ('TH-MUONG-LAT', 'Mường Lát', '14845', 'Xã Mường Lát', 20.5280, 104.6050, 25, 'SO-NNMT')
) as s (station_code, station_name, commune_code, commune_name, latitude, longitude, base, unit_code);

create function pg_temp.category(aqi integer) returns text language sql immutable as $$
    select case when aqi <= 50 then 'Tốt' when aqi <= 100 then 'Trung bình' when aqi <= 150 then 'Kém'
        when aqi <= 200 then 'Xấu' when aqi <= 300 then 'Rất xấu' else 'Nguy hại' end $$;
create function pg_temp.color(aqi integer) returns text language sql immutable as $$
    select case when aqi <= 50 then '#00E400' when aqi <= 100 then '#FFFF00' when aqi <= 150 then '#FF7E00'
        when aqi <= 200 then '#FF0000' when aqi <= 300 then '#8F3F97' else '#7E0023' end $$;

create table serving.rpt_air_quality_hourly as
select
    station_code, station_name, hour_ending, aqi, pg_temp.category(aqi) as aqi_category, pg_temp.color(aqi) as aqi_color,
    'PM2.5'::text as dominant_parameter,
    (aqi * 0.55)::numeric(8, 2) as pm25_ug_m3, (aqi * 0.9)::numeric(8, 2) as pm10_ug_m3,
    (60 + aqi * 0.3)::numeric(8, 2) as o3_ug_m3, (20 + aqi * 0.2)::numeric(8, 2) as no2_ug_m3,
    (10 + aqi * 0.1)::numeric(8, 2) as so2_ug_m3, (400 + aqi * 4)::numeric(10, 2) as co_ug_m3,
    (aqi * 0.54)::numeric(8, 2) as nowcast_pm25, (aqi * 0.88)::numeric(8, 2) as nowcast_pm10,
    aqi as aqi_pm25, (aqi * 0.8)::integer as aqi_pm10, (aqi * 0.5)::integer as aqi_o3, (aqi * 0.3)::integer as aqi_no2,
    (aqi * 0.2)::integer as aqi_so2, (aqi * 0.1)::integer as aqi_co,
    (92 + 8 * abs(sin(extract(epoch from hour_ending) / 7e4)))::numeric(5, 1) as completeness_pct
from station
cross join generate_series(date_trunc('hour', now()) - interval '31 days', date_trunc('hour', now()), interval '1 hour') as h (hour_ending)
cross join lateral (
    select greatest(8, base * (1 + 0.35 * sin(extract(hour from hour_ending) / 24 * 6.283)
        + 0.5 * sin(extract(epoch from hour_ending) / 86400 / 5 * 3.1416 + base)))::integer as aqi
) as level;

create table serving.rpt_air_quality_current as
select
    s.station_code, s.station_name, s.commune_code, s.commune_name, s.latitude, s.longitude,
    true as is_registered, true as is_public, true as in_province, h.hour_ending, h.aqi, h.aqi_category, h.aqi_color,
    'Người nhạy cảm nên hạn chế ra ngoài lâu'::text as health_advice_vi, h.dominant_parameter, h.pm25_ug_m3, h.pm10_ug_m3,
    h.o3_ug_m3, h.no2_ug_m3, h.so2_ug_m3, h.co_ug_m3, 12::bigint as available_hour_count, now() - interval '4 minutes' as last_reading_at
from station s
join lateral (
    select * from serving.rpt_air_quality_hourly h where h.station_code = s.station_code order by hour_ending desc limit 1
) as h on true;

create table serving.rpt_air_quality_daily as
select
    station_code, station_name, day, aqi, pg_temp.category(aqi) as aqi_category, pg_temp.color(aqi) as aqi_color,
    aqi as aqi_pm25, (aqi * 0.8)::integer as aqi_pm10, (aqi * 0.5)::integer as aqi_o3, (aqi * 0.3)::integer as aqi_no2,
    (aqi * 0.2)::integer as aqi_so2, (aqi * 0.1)::integer as aqi_co
from (
    select station_code, station_name, (hour_ending - interval '1 hour')::date as day, round(avg(aqi))::integer as aqi
    from serving.rpt_air_quality_hourly group by 1, 2, 3
) as days;

create table serving.rpt_air_quality_pollutant as
select
    h.station_code, h.station_name, h.hour_ending, p.parameter, p.parameter_name_vi,
    p.mean_ug_m3::numeric(12, 2), (p.mean_ug_m3 * 0.95)::numeric(12, 2) as mean_8h_ug_m3, (p.mean_ug_m3 * 0.9)::numeric(12, 2) as mean_24h_ug_m3,
    p.limit_1h_ug_m3::numeric, p.limit_8h_ug_m3::numeric, p.limit_24h_ug_m3::numeric,
    round(p.mean_ug_m3 / coalesce(p.limit_1h_ug_m3, p.limit_24h_ug_m3), 3) as ratio_to_limit
from serving.rpt_air_quality_hourly h
cross join lateral (values
    ('PM2.5', 'Bụi PM2.5', pm25_ug_m3, null, null, 45), ('PM10', 'Bụi PM10', pm10_ug_m3, null, null, 100),
    ('O3', 'Ôzôn', o3_ug_m3, 200, 120, null), ('NO2', 'Nitơ điôxit', no2_ug_m3, 200, null, 100),
    ('SO2', 'Lưu huỳnh điôxit', so2_ug_m3, 350, null, 125), ('CO', 'Cacbon monoxit', co_ug_m3, 30000, 10000, null)
) as p (parameter, parameter_name_vi, mean_ug_m3, limit_1h_ug_m3, limit_8h_ug_m3, limit_24h_ug_m3);

create table serving.rpt_air_quality_completeness as
select
    station_code, station_name, day, 288::bigint as expected_count, received_count, received_count - 3 as valid_count,
    2::bigint as calibrating_count, 1::bigint as device_error_count, 0::bigint as flagged_count, round(100.0 * (received_count - 3) / 288, 1) as completeness_pct
from serving.rpt_air_quality_daily
cross join lateral (select 288 - (abs(hashtext(station_code || day::text)) % 40)::bigint as received_count) as r;

create table serving.rpt_air_quality_exceedance as
select
    station_code, station_name, parameter, '24h'::text as averaging_period, hour_ending as period_end,
    mean_24h_ug_m3 as value_ug_m3, limit_24h_ug_m3 as limit_ug_m3, round(mean_24h_ug_m3 / limit_24h_ug_m3, 2) as ratio,
    'QCVN 05:2023/BTNMT'::text as citation
from serving.rpt_air_quality_pollutant
where mean_24h_ug_m3 > limit_24h_ug_m3 and extract(hour from hour_ending) = 0;

create table serving.rpt_ops_pipeline_health as
select
    domain, title_vi, now() - age as last_published_at, now() - age - interval '3 minutes' as newest_data_at,
    (extract(epoch from age) / 60 + 3)::bigint as data_age_minutes, stale_after_minutes,
    extract(epoch from age) / 60 + 3 > stale_after_minutes as is_stale, 288::bigint as batches_24h, 1700::bigint as files_24h,
    15000::bigint as read_24h, 14800::bigint as loaded_24h, 120::bigint as duplicate_24h, 80::bigint as rejected_24h,
    1::bigint as quarantined_24h, 0::bigint as failed_dbt_24h
from (values
    ('air_quality', 'Môi trường không khí', interval '4 minutes', 60), ('traffic_security', 'An ninh giao thông', interval '3 hours', 60)
) as d (domain, title_vi, age, stale_after_minutes);

-- What every table carries for the filters of rows, and what only single tables have.
do $$
declare target text;
begin
    foreach target in array array['hourly', 'daily', 'pollutant', 'completeness', 'exceedance'] loop
        execute format('alter table serving.rpt_air_quality_%s add commune_code text, add unit_code text,
            add is_public boolean default true, add is_registered boolean default true', target);
        execute format('update serving.rpt_air_quality_%s t set commune_code = s.commune_code, unit_code = s.unit_code
            from station s where s.station_code = t.station_code', target);
    end loop;
end $$;
alter table serving.rpt_air_quality_hourly
    add available_hour_count bigint default 12, add has_current_hour boolean default true, add quality text default 'ok';
alter table serving.rpt_air_quality_daily add dominant_parameter text default 'PM2.5';
alter table serving.rpt_air_quality_exceedance
    add parameter_name_vi text, add averaging_period_label text default '24 giờ';
update serving.rpt_air_quality_exceedance set parameter_name_vi = 'Bụi ' || parameter;
alter table serving.rpt_air_quality_current
    add unit_code text, add data_age_minutes bigint default 4, add quality text default 'ok',
    add completeness_pct numeric default 96.5, add note_vi text;
update serving.rpt_air_quality_current t set unit_code = s.unit_code from station s where s.station_code = t.station_code;
alter table serving.rpt_ops_pipeline_health add status text default 'live';

create table serving.rpt_alert_incident as
select
    md5(n::text)::uuid::text as incident_id, 'SC-' || upper(left(md5(n::text), 8)) as incident_code,
    '<a href="http://127.0.0.1/canh-bao/' || md5(n::text)::uuid || '" target="_blank" rel="noopener">SC-'
    || upper(left(md5(n::text), 8)) || '</a>' as incident_link,
    'air_quality'::text as domain, 'Môi trường không khí'::text as domain_title, 'air_quality.aqi_h'::text as rule_code,
    'Chất lượng không khí (AQI giờ)'::text as rule_title, 'value'::text as kind, 'Vượt ngưỡng'::text as kind_label,
    'TH_' || n as entity_id, 'Trạm ' || n as entity_name, case n % 2 when 0 then 'SO-NNMT' else 'BQL-KKTNS' end as unit_code,
    case n % 2 when 0 then 'Sở Nông nghiệp và Môi trường' else 'Ban quản lý Khu kinh tế Nghi Sơn' end as unit_name,
    case when n <= 6 then 'open' else 'closed' end as status,
    case when n <= 6 then 'Đang diễn ra' else 'Đã kết thúc' end as status_label,
    case when n <= 6 then n % 4 + 1 else 0 end::integer as level, (n % 4 + 1)::integer as peak_level,
    'Cấp ' || (n % 4 + 1) as peak_level_label, now() - n * interval '7 hours' as opened_at,
    case when n > 6 then now() - n * interval '7 hours' + interval '3 hours' end as closed_at,
    (n * 13 % 400)::bigint as duration_minutes, case when n > 6 then 'Về dưới ngưỡng' end as close_reason,
    (150 + n)::double precision as open_value, (180 + n)::double precision as peak_value, ''::text as value_unit,
    (180 + n)::text as peak_value_label,
    case when n % 3 > 0 then now() - n * interval '7 hours' + interval '9 minutes' end as ack_at,
    case when n % 3 > 0 then 9 + n % 20 end::bigint as minutes_to_ack, n % 3 > 0 as was_acked,
    case when n % 3 > 0 then 'Đã nhận' else 'Chưa nhận' end as ack_label,
    case when n % 5 = 0 then 'VV-' || n end as case_code
from generate_series(1, 60) as n;

create table serving.rpt_alert_notification as
select
    md5('m' || n)::uuid::text as outbox_id, now() - n * interval '5 hours' as created_at,
    case n % 3 when 0 then 'sms' when 1 then 'email' else 'web' end as channel,
    case n % 3 when 0 then 'Tin nhắn SMS' when 1 then 'Thư điện tử' else 'Hộp thư trên cổng' end as channel_label,
    'Trực ban sở'::text as route_name, 'air_quality'::text as domain, 'SO-NNMT'::text as unit_code,
    'Sở Nông nghiệp và Môi trường'::text as unit_name, (n % 4)::integer as level, 1::integer as incident_count,
    'SC-' || upper(left(md5(n::text), 8)) as incident_code,
    '<a href="http://127.0.0.1/canh-bao/x" target="_blank" rel="noopener">SC-X</a>'::text as incident_link,
    case when n % 9 = 0 then 'failed' else 'delivered' end as status,
    case when n % 9 = 0 then 'Không gửi được' else 'Đã đến nơi' end as status_label,
    n % 9 > 0 as is_sent, n % 9 = 0 as is_lost, 1::integer as attempt_count, '250'::text as provider_code,
    now() - n * interval '5 hours' + interval '4 seconds' as accepted_at,
    now() - n * interval '5 hours' + interval '9 seconds' as finished_at, 4::double precision as seconds_to_accept
from generate_series(1, 90) as n;

create table serving.rpt_procedure_case as
select
    n::bigint as case_id, 'VV-' || n as case_code,
    '<a href="http://127.0.0.1/vu-viec/VV-' || n || '" target="_blank" rel="noopener">VV-' || n || '</a>' as case_link,
    'Xử lý AQI xấu'::text as procedure_title, 'air_quality'::text as domain,
    'SC-' || upper(left(md5(n::text), 8)) as incident_code, 'SO-NNMT'::text as unit_code,
    'Sở Nông nghiệp và Môi trường'::text as unit_name, 3::integer as level,
    case when n <= 3 then 'open' else 'closed' end as status,
    case when n <= 3 then 'Đang xử lý' else 'Đã đóng' end as status_label, now() - n * interval '30 hours' as opened_at,
    case when n > 3 then now() - n * interval '29 hours' end as closed_at, 60::bigint as duration_minutes,
    case when n > 3 then 'resolved' end as close_reason, false as closed_while_firing, 4::bigint as task_count,
    3::bigint as finished_count, (n % 2)::bigint as overdue_count
from generate_series(1, 12) as n;

create table serving.rpt_procedure_task as
select
    n::bigint as task_id, 'VV-' || n as case_code,
    '<a href="http://127.0.0.1/vu-viec/VV-' || n || '" target="_blank" rel="noopener">VV-' || n || '</a>' as case_link,
    'Xử lý AQI xấu'::text as procedure_title, 'kiem-tra'::text as step_code, 'Kiểm tra hiện trường'::text as step_title,
    'air_quality'::text as domain, 'SO-NNMT'::text as unit_code, 'Sở Nông nghiệp và Môi trường'::text as unit_name,
    3::integer as level, case when n <= 8 then 'in_progress' else 'done' end as status,
    case when n <= 8 then 'Đang làm' else 'Hoàn thành' end as status_label, now() - n * interval '9 hours' as ready_at,
    now() - n * interval '9 hours' + interval '4 hours' as due_at, now() - n * interval '9 hours' + interval '20 minutes'
    as accepted_at, case when n > 8 then now() - n * interval '8 hours' end as finished_at,
    case when n > 8 then 'done' end as outcome, 20::bigint as minutes_to_accept,
    case when n > 8 then n * 60 end::bigint as minutes_to_finish, n % 2 = 0 as is_overdue, n > 8 as is_finished
from generate_series(1, 40) as n;
reset role;
