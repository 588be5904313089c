select
    f.station_code,
    s.station_name,
    f.hour_ending,
    f.parameter,
    p.parameter_name_vi,
    f.mean_ug_m3,
    f.mean_8h_ug_m3,
    f.mean_24h_ug_m3,
    l1.limit_ug_m3 as limit_1h_ug_m3,
    l8.limit_ug_m3 as limit_8h_ug_m3,
    l24.limit_ug_m3 as limit_24h_ug_m3,
    round(
        greatest(
            f.mean_ug_m3 / l1.limit_ug_m3, f.mean_8h_ug_m3 / l8.limit_ug_m3, f.mean_24h_ug_m3 / l24.limit_ug_m3
        ), 4
    ) as ratio_to_limit,
    s.commune_code,
    s.unit_code,
    s.is_public,
    s.is_registered
from {{ ref('int_air_quality__pollutant_hourly') }} as f
inner join {{ ref('dim_air_station') }} as s on f.station_code = s.station_code
inner join {{ ref('air_parameter') }} as p on f.parameter = p.parameter
{% for alias, period in [('l1', '1h'), ('l8', '8h'), ('l24', '24h')] %}
    left join {{ ref('air_limit') }} as {{ alias }}
        on
            {{ alias }}.parameter = f.parameter
            and {{ alias }}.averaging_period = '{{ period }}'
            and {{ civil_day('f.hour_ending') }} >= {{ alias }}.effective_from
            and {{ civil_day('f.hour_ending') }} < {{ alias }}.effective_to
{% endfor %}
where f.hour_ending <= now()
