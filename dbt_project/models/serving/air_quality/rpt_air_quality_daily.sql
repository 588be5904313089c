select
    f.station_code,
    s.station_name,
    f.day,
    f.aqi,
    f.aqi_category,
    c.color_hex as aqi_color,
    f.aqi_pm25,
    f.aqi_pm10,
    f.aqi_o3,
    f.aqi_no2,
    f.aqi_so2,
    f.aqi_co,
    f.dominant_parameter,
    s.commune_code,
    s.unit_code,
    s.is_public,
    s.is_registered
from {{ ref('fct_air_aqi_daily') }} as f
inner join {{ ref('dim_air_station') }} as s on f.station_code = s.station_code
left join {{ ref('air_aqi_category') }} as c on f.aqi_category = c.category_vi
