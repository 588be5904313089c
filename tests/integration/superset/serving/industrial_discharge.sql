-- The serving tables of industrial discharge, filled for four outlets and 31 days up to now. Same columns and types as dbt's
-- contracts.
set role ioc_transformer;
set timezone = 'Asia/Ho_Chi_Minh';
create temporary table outlet as
select * from (values
    ('NT-01', 'Nước thải lọc dầu – cửa xả 1', 'Nước thải', 'Nhà máy lọc dầu (mẫu)', 'Khu kinh tế Nghi Sơn', '16654', 'Phường Nghi Sơn', 19.33, 105.81, 0.6),
    ('NT-02', 'Nước thải dệt nhuộm – cửa xả 1', 'Nước thải', 'Nhà máy dệt (mẫu)', 'KCN Hoàng Long', '15925', 'Phường Nguyệt Viên', 19.83, 105.82, 1.1),
    ('KT-03', 'Khí thải xi măng – ống khói 1', 'Khí thải', 'Nhà máy xi măng (mẫu)', 'KCN Bỉm Sơn', '14812', 'Phường Bỉm Sơn', 20.08, 105.90, 0.8),
    ('KT-04', 'Khí thải lò hơi – ống khói 1', 'Khí thải', 'Nhà máy đường (mẫu)', 'KCN Lam Sơn – Sao Vàng', '15553', 'Xã Sao Vàng', 19.88, 105.44, 0.5)
) as o (outlet_code, outlet_name, medium_vi, plant_name, zone_name, commune_code, commune_name, latitude, longitude, base);
create temporary table parameter as
select * from (values
    ('Nước thải', 'COD', 'COD', 'mg/l', null::numeric, 90::numeric, 1), ('Nước thải', 'pH', 'pH', null, 6, 9, 9),
    ('Nước thải', 'Flow', 'Lưu lượng', 'm³/h', null, null, 17),
    ('Khí thải', 'PM', 'Bụi tổng', 'mg/Nm³', null, 50, 11), ('Khí thải', 'SO2', 'Lưu huỳnh điôxít (SO₂)', 'mg/Nm³', null, 200, 12),
    ('Khí thải', 'Flow', 'Lưu lượng', 'm³/h', null, null, 17)
) as p (medium_vi, parameter, parameter_name_vi, unit_label, limit_min, limit_max, parameter_order);
create function pg_temp.band(ratio numeric) returns text language sql immutable as $$
    select case when ratio <= 1 then 'Trong giới hạn' when ratio < 1.1 then 'Vượt dưới 1,1 lần'
        when ratio < 1.5 then 'Vượt 1,1 đến dưới 1,5 lần' when ratio >= 1.5 then 'Vượt 1,5 đến dưới 2 lần' end $$;
create function pg_temp.band_order(ratio numeric) returns integer language sql immutable as $$
    select case when ratio <= 1 then 0 when ratio < 1.1 then 1 when ratio < 1.5 then 2 when ratio >= 1.5 then 3 else -1 end $$;

create table serving.rpt_industrial_discharge_hourly as
select
    o.outlet_code, o.outlet_name, o.medium_vi, o.plant_name, o.zone_name, o.commune_code, o.commune_code as unit_code, true as is_registered,
    p.parameter, p.parameter_name_vi, p.unit_label, h.hour_ending,
    coalesce(p.limit_max * v.ratio, 300) as mean_value, coalesce(p.limit_max * v.ratio * 1.1, 320) as max_value, p.limit_min, p.limit_max,
    v.ratio as mean_ratio, v.ratio * 1.1 as max_ratio, coalesce(v.ratio > 1, false) as is_exceeded,
    case when v.ratio > 1 then 7 else 0 end::bigint as exceeded_count, pg_temp.band(v.ratio) as band_vi, '#2E9E5B'::text as band_color, pg_temp.band_order(v.ratio) as band_order,
    case when p.parameter = 'Flow' then 300 end::numeric as flow_m3,
    case when p.parameter in ('COD', 'PM', 'SO2') then 12.5 end::numeric as load_kg, 12::bigint as expected_count, 12::bigint as valid_count,
    0::bigint as calibrating_count, 0::bigint as device_error_count, 0::bigint as flagged_count, 'ok'::text as quality
from outlet as o
inner join parameter as p on o.medium_vi = p.medium_vi
cross join generate_series(date_trunc('hour', now()) - interval '31 days', date_trunc('hour', now()), interval '1 hour') as h (hour_ending)
cross join lateral (
    select case
        when p.limit_max is not null
            then round((o.base * (1 + 0.25 * sin(extract(epoch from h.hour_ending) / 86400 * 3.1416 + p.parameter_order)))::numeric, 4)
    end as ratio
) as v;

create table serving.rpt_industrial_discharge_reading as
select
    outlet_code, outlet_name, medium_vi, plant_name, zone_name, commune_code, unit_code, is_registered, parameter, parameter_name_vi, unit_label,
    hour_ending as measured_at, mean_value as value_sent, unit_label as unit_sent, mean_value as value_measured, null::numeric as o2_pct,
    mean_value as value, limit_min, limit_max, mean_ratio as ratio, is_exceeded, '00'::text as device_status, ''::text as flags_vi, 1::bigint as batch_id
from serving.rpt_industrial_discharge_hourly;

create table serving.rpt_industrial_discharge_current as
select
    h.outlet_code, h.outlet_name, h.medium_vi, h.plant_name, h.zone_name, h.commune_code, h.unit_code, h.is_registered, o.commune_name,
    o.latitude, o.longitude, h.parameter, h.parameter_name_vi, h.unit_label, p.parameter_order, now() - interval '4 minutes' as measured_at,
    h.mean_value as value, h.limit_min, h.limit_max, '≤ ' || h.limit_max as limit_vi, 'GPMT'::text as limit_source,
    'Giấy phép môi trường (mẫu)'::text as limit_citation, h.mean_ratio as ratio, h.is_exceeded, coalesce(h.band_vi, 'Không có giới hạn') as band_vi,
    '#2E9E5B'::text as band_color, h.band_order, h.mean_value as mean_1h, h.mean_ratio as mean_1h_ratio, '00'::text as device_status,
    'Đang đo'::text as status_vi, 4::bigint as silent_minutes, 'Bình thường'::text as connection_vi, false as is_silent
from serving.rpt_industrial_discharge_hourly as h
inner join outlet as o on h.outlet_code = o.outlet_code
inner join parameter as p on h.medium_vi = p.medium_vi and h.parameter = p.parameter
where h.hour_ending = date_trunc('hour', now());

create table serving.rpt_industrial_discharge_daily as
select
    outlet_code, outlet_name, medium_vi, plant_name, zone_name, commune_code, unit_code, is_registered, parameter, parameter_name_vi, unit_label,
    (hour_ending - interval '1 hour')::date as day, count(*) as hour_count, avg(mean_value) as mean_value, max(mean_value) as max_1h, limit_min,
    limit_max, 'Giấy phép môi trường (mẫu)'::text as limit_citation, avg(mean_ratio) as mean_ratio, max(max_ratio) as max_ratio,
    coalesce(avg(mean_ratio) > 1, false) as is_exceeded, sum(exceeded_count)::bigint as exceeded_count,
    count(*) filter (where is_exceeded) as exceeded_hour_count, pg_temp.band(avg(mean_ratio)) as band_vi,
    pg_temp.band_order(avg(mean_ratio)) as band_order, 0::bigint as calibrating_count, 0::bigint as device_error_count, sum(flow_m3) as flow_m3,
    sum(load_kg) as load_kg, count(load_kg) as load_hour_count, 'ok'::text as quality
from serving.rpt_industrial_discharge_hourly
group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, limit_min, limit_max;

create table serving.rpt_industrial_discharge_exceedance as
select
    outlet_code, outlet_name, medium_vi, plant_name, zone_name, commune_code, unit_code, is_registered, parameter, parameter_name_vi, unit_label,
    '1h'::text as averaging_period, 'Trung bình giờ'::text as averaging_vi, hour_ending as period_end, mean_value as value, limit_min, limit_max,
    '≤ ' || limit_max as limit_vi, mean_ratio as ratio, band_vi, band_order, 'GPMT'::text as limit_source,
    'Giấy phép môi trường (mẫu)'::text as limit_citation
from serving.rpt_industrial_discharge_hourly
where is_exceeded;

create table serving.rpt_industrial_discharge_availability as
select
    outlet_code, outlet_name, medium_vi, plant_name, zone_name, commune_code, commune_code as unit_code, true as is_registered, day::date as day,
    288::bigint as expected_count, (280 - extract(day from day) % 5 * 10)::bigint as received_count,
    round(((280 - extract(day from day) % 5 * 10) / 2.88)::numeric, 1) as availability_pct, 0::bigint as calibrating_count,
    0::bigint as device_error_count, 0::bigint as flagged_count
from outlet
cross join generate_series(current_date - 30, current_date, interval '1 day') as d (day);

create table serving.rpt_industrial_discharge_gap as
select
    outlet_code, outlet_name, medium_vi, plant_name, zone_name, commune_code, commune_code as unit_code, true as is_registered,
    now() - n * interval '50 hours' as last_heard_at, case when n > 1 then now() - n * interval '50 hours' + interval '80 minutes' end as resumed_at,
    80::bigint as gap_minutes, 'Trên 60 phút'::text as gap_class_vi, (n = 1) as is_open, case when n = 1 then 'Đang mất' else 'Đã có lại' end as state_vi
from outlet
cross join generate_series(1, 6) as n;
drop table outlet, parameter;
