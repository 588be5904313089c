-- Closed hours of every outlet and parameter: mean beside its limit, what was discharged.
select
    {{ outlet_columns() }},
    f.parameter,
    coalesce(p.parameter_name_vi, f.parameter) as parameter_name_vi,
    p.unit_label,
    f.hour_ending,
    round(f.mean_value, 4) as mean_value,
    round(f.max_value, 4) as max_value,
    f.limit_min,
    f.limit_max,
    f.mean_ratio,
    f.max_ratio,
    f.is_exceeded,
    f.exceeded_count,
    b.band_vi,
    b.color_hex as band_color,
    coalesce(b.sort_order, -1) as band_order,
    round(f.flow_m3, 3) as flow_m3,
    round(f.load_kg, 4) as load_kg,
    f.expected_count,
    f.valid_count,
    f.calibrating_count,
    f.device_error_count,
    f.flagged_count,
    f.quality
from {{ ref('fct_discharge_hourly') }} as f
inner join {{ ref('dim_discharge_outlet') }} as o on f.station_code = o.station_code
left join {{ ref('discharge_parameter') }} as p on f.parameter = p.parameter
{{ join_band('f.mean_ratio') }}
where f.hour_ending <= now()
