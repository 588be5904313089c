{{ config(
    unique_key=['station_code', 'day'],
    indexes=keyed(['station_code', 'day'], [['day']]),
    meta={'reads': ['int_air_quality__pollutant_daily']}
) }}
-- AQI_d to the letter of QĐ 1459 (doc block aqi_daily).
with pollutant as (
    select p.*
    from (
        select distinct station_code, day from {{ ref('int_air_quality__pollutant_daily') }}
        where run_seq > {{ since('int_air_quality__pollutant_daily') }}
    ) as t
    inner join {{ ref('int_air_quality__pollutant_daily') }} as p on t.station_code = p.station_code and t.day = p.day
),

concentration as (
    select p.station_code, p.day, p.parameter, g.averaging_period, g.concentration, p.day as valid_on
    from pollutant as p
    cross join lateral (
        values
        ('24h', case when p.parameter in ('PM2.5', 'PM10') then p.mean_24h_ug_m3 end),
        ('1h', case when p.parameter in ('O3', 'NO2', 'SO2', 'CO') then p.max_1h_ug_m3 end),
        -- Above 400 the breakpoints have no row: the 1-hour index stands alone.
        ('8h', case when p.parameter = 'O3' then p.max_8h_ug_m3 end)
    ) as g (averaging_period, concentration)
    where g.concentration is not null
),

sub_index as ({{ sub_index('concentration', ['station_code', 'day']) }}),

indexed as ({{ index_of_pollutants('sub_index', ['station_code', 'day']) }}),

-- A day without a single complete parameter is a row too: the calendar shows the hole.
station_day as (
    select
        station_code,
        day,
        max(mean_24h_ug_m3) filter (where parameter = 'PM2.5') as pm25_24h_ug_m3,
        max(mean_24h_ug_m3) filter (where parameter = 'PM10') as pm10_24h_ug_m3,
        max(max_1h_ug_m3) filter (where parameter = 'O3') as o3_max_1h_ug_m3,
        max(max_8h_ug_m3) filter (where parameter = 'O3') as o3_max_8h_ug_m3,
        max(max_1h_ug_m3) filter (where parameter = 'NO2') as no2_max_1h_ug_m3,
        max(max_1h_ug_m3) filter (where parameter = 'SO2') as so2_max_1h_ug_m3,
        max(max_1h_ug_m3) filter (where parameter = 'CO') as co_max_1h_ug_m3,
        max(hour_count) filter (where parameter in ('PM2.5', 'PM10')) as particle_hour_count
    from pollutant
    group by station_code, day
)

select
    d.station_code,
    d.day,
    i.aqi_pm25,
    i.aqi_pm10,
    i.aqi_o3,
    i.aqi_no2,
    i.aqi_so2,
    i.aqi_co,
    a.aqi,
    c.category_vi as aqi_category,
    case when a.aqi is not null then i.highest_parameter end as dominant_parameter,
    d.pm25_24h_ug_m3,
    d.pm10_24h_ug_m3,
    d.o3_max_1h_ug_m3,
    d.o3_max_8h_ug_m3,
    d.no2_max_1h_ug_m3,
    d.so2_max_1h_ug_m3,
    d.co_max_1h_ug_m3,
    coalesce(d.particle_hour_count, 0) as particle_hour_count,
    {{ run_seq() }} as run_seq
from station_day as d
left join indexed as i on d.station_code = i.station_code and d.day = i.day
cross join lateral (select case when i.has_particles then i.highest end as aqi) as a
left join {{ ref('air_aqi_category') }} as c on a.aqi between c.aqi_from and c.aqi_to
