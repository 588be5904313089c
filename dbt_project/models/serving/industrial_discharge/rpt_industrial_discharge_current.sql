-- Newest reading of every outlet and parameter that it sends or has to send, beside its limit.
select
    {{ outlet_columns() }},
    o.commune_name,
    o.latitude,
    o.longitude,
    w.parameter,
    coalesce(p.parameter_name_vi, w.parameter) as parameter_name_vi,
    p.unit_label,
    coalesce(p.sort_order, 99) as parameter_order,
    r.measured_at,
    round(r.value_compared, 4) as value,
    r.limit_min,
    r.limit_max,
    {{ limit_in_words('r.limit_min', 'r.limit_max') }} as limit_vi,
    l.source as limit_source,
    l.citation as limit_citation,
    r.ratio,
    coalesce(r.is_exceeded, false) as is_exceeded,
    case
        when s.is_silent then 'Không có số liệu mới'
        when r.limit_min is null and r.limit_max is null then 'Không có giới hạn'
        else coalesce(b.band_vi, 'Không có giá trị')
    end as band_vi,
    case when s.is_silent then '#8A94A0' else coalesce(b.color_hex, '#8A94A0') end as band_color,
    case when s.is_silent then -1 else coalesce(b.sort_order, -1) end as band_order,
    round(h.mean_value, 4) as mean_1h,
    h.mean_ratio as mean_1h_ratio,
    r.device_status,
    case
        when r.station_code is null then 'Chưa nhận được số liệu'
        when s.is_silent then 'Mất kết nối'
        when r.device_status = '01' then 'Đang hiệu chuẩn'
        when r.device_status <> '00' then 'Thiết bị báo lỗi'
        when r.is_oxygen_unusable and r.o2_device_status = '01' then 'Đang hiệu chuẩn ôxy'
        when r.is_oxygen_unusable and r.o2_device_status <> '00' then 'Thiết bị đo ôxy báo lỗi'
        when r.is_oxygen_unusable and r.o2_pct is null then 'Không có số liệu ôxy'
        when r.is_oxygen_unusable then 'Không quy đổi được ôxy (O₂ từ 20,9 %)'
        when not r.is_valid then 'Giá trị không dùng được'
        when r.is_stuck then 'Giá trị đứng yên'
        else 'Đang đo'
    end as status_vi,
    s.silent_minutes,
    coalesce(s.class_vi, 'Chưa nhận được số liệu') as connection_vi,
    coalesce(s.is_silent, true) as is_silent
from {{ ref('dim_discharge_outlet') }} as o
inner join lateral (
    select n.parameter from {{ ref('discharge_outlet_parameter') }} as n
    where n.outlet_code = o.station_code and {{ today() }} >= n.effective_from and {{ today() }} < n.effective_to
    union
    select f.parameter from {{ ref('fct_discharge_hourly') }} as f
    where f.station_code = o.station_code and f.hour_ending > o.last_reading_at - interval '1 hour'
) as w on true
left join lateral (
    select t.* from {{ ref('int_industrial_discharge__reading') }} as t
    where t.station_code = o.station_code and t.parameter = w.parameter and not t.is_future
    order by t.measured_at desc
    limit 1
) as r on true
left join lateral (
    select t.mean_value, t.mean_ratio from {{ ref('fct_discharge_hourly') }} as t
    where t.station_code = o.station_code and t.parameter = w.parameter and t.hour_ending <= r.measured_at
    order by t.hour_ending desc
    limit 1
) as h on true
left join {{ ref('discharge_parameter') }} as p on w.parameter = p.parameter
left join {{ ref('stg_industrial_discharge__limit') }} as l
    on
        o.station_code = l.station_code and w.parameter = l.parameter
        and {{ civil_day('r.hour_ending') }} >= l.effective_from and {{ civil_day('r.hour_ending') }} < l.effective_to
cross join lateral (
    select {{ minutes_between('r.measured_at', 'now()') }} as silent_minutes, c.is_gap as is_silent, c.class_vi
    from (select now() as now_at) as n
    {{ join_silence('r.measured_at', 'n.now_at') }}
) as s
{{ join_band('r.ratio') }}
