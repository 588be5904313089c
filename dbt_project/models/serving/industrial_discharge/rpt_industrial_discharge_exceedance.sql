-- Hours and days whose mean is beyond the limit. A five-minute value beyond it is counted (exceeded_count), not listed.
select
    {{ outlet_columns() }},
    m.parameter,
    coalesce(p.parameter_name_vi, m.parameter) as parameter_name_vi,
    p.unit_label,
    m.averaging_period,
    m.averaging_vi,
    m.period_end,
    round(m.value, 4) as value,
    m.limit_min,
    m.limit_max,
    {{ limit_in_words('m.limit_min', 'm.limit_max') }} as limit_vi,
    m.ratio,
    b.band_vi,
    b.sort_order as band_order,
    l.source as limit_source,
    l.citation as limit_citation
from (
    select
        station_code, parameter, '1h' as averaging_period, 'Trung bình giờ' as averaging_vi, hour_ending as period_end,
        mean_value as value, limit_min, limit_max, mean_ratio as ratio, {{ civil_day('hour_ending') }} as day
    from {{ ref('fct_discharge_hourly') }}
    where is_exceeded and hour_ending <= now()
    union all
    select
        station_code, parameter, '24h', 'Trung bình 24 giờ', {{ day_start('day + 1') }}, mean_value, limit_min, limit_max,
        mean_ratio, day
    from {{ ref('fct_discharge_daily') }}
    where is_exceeded
) as m
inner join {{ ref('dim_discharge_outlet') }} as o on m.station_code = o.station_code
left join {{ ref('discharge_parameter') }} as p on m.parameter = p.parameter
{{ join_limit('m', 'm.day') }}
{{ join_band('m.ratio') }}
