-- Closed days of every outlet and parameter: the 24-hour mean, on which an exceedance is proven; flow and load.
select
    {{ outlet_columns() }},
    f.parameter,
    coalesce(p.parameter_name_vi, f.parameter) as parameter_name_vi,
    p.unit_label,
    f.day,
    f.hour_count,
    round(f.mean_value, 4) as mean_value,
    round(f.max_1h, 4) as max_1h,
    f.limit_min,
    f.limit_max,
    f.citation as limit_citation,
    f.mean_ratio,
    f.max_ratio,
    f.is_exceeded,
    f.exceeded_count,
    f.exceeded_hour_count,
    b.band_vi,
    coalesce(b.sort_order, -1) as band_order,
    f.calibrating_count,
    f.device_error_count,
    round(f.flow_m3, 3) as flow_m3,
    round(f.load_kg, 4) as load_kg,
    f.load_hour_count,
    f.quality
from {{ ref('fct_discharge_daily') }} as f
inner join {{ ref('dim_discharge_outlet') }} as o on f.station_code = o.station_code
left join {{ ref('discharge_parameter') }} as p on f.parameter = p.parameter
{{ join_band('f.mean_ratio') }}
