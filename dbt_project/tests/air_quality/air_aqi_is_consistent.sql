-- Invariants of every index published in the last three days (older rows were checked when they were new):
-- within 0 to 500, never without particles, the highest of its sub-indices, and in its category.
select station_code, hour_ending, aqi
from {{ ref('fct_air_aqi_hourly') }}
where
    hour_ending > now() - interval '3 days'
    and (
        aqi not between 0 and 500
        or (aqi is not null and aqi_pm25 is null and aqi_pm10 is null)
        or aqi is distinct from greatest(aqi_pm25, aqi_pm10, aqi_o3, aqi_no2, aqi_so2, aqi_co)
        and (aqi_pm25 is not null or aqi_pm10 is not null)
        or (aqi is null) <> (aqi_category is null)
    )
