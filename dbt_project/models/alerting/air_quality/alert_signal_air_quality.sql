{{ config(
    meta={'reads': ['fct_air_aqi_hourly', 'fct_air_aqi_daily', 'int_air_quality__pollutant_hourly']},
    post_hook=[
        "{{ upsert_signals() }}",
        "{{ upsert_entities(
            'station', ref('dim_air_station'), 'station_code', 'station_name', 'unit_code', 'longitude', 'latitude',
            'coalesce(is_public and in_province, false)'
        ) }}"
    ]
) }}
-- Signals of the closed periods that changed since the last build; the post-hook hands them to alerting.signal.
-- An hour whose index rests on earlier hours alone carries no value: missing data must never end an alert.
with hourly as (
    select f.station_code, f.hour_ending, f.quality, f.aqi
    from {{ ref('fct_air_aqi_hourly') }} as f
    where f.run_seq > {{ since('fct_air_aqi_hourly') }}
),

-- A trailing mean changes with its own hours, and appears when its hour is closed.
ratio as (
    select f.station_code, f.hour_ending, f.quality, p.mean_24h_ug_m3 / l.limit_ug_m3 as ratio
    from (
        select station_code, hour_ending from hourly
        union
        select station_code, hour_ending from {{ ref('int_air_quality__pollutant_hourly') }}
        where parameter = 'PM2.5' and run_seq > {{ since('int_air_quality__pollutant_hourly') }}
    ) as t
    inner join {{ ref('fct_air_aqi_hourly') }} as f
        on t.station_code = f.station_code and t.hour_ending = f.hour_ending
    inner join {{ ref('int_air_quality__pollutant_hourly') }} as p
        on t.station_code = p.station_code and p.parameter = 'PM2.5' and t.hour_ending = p.hour_ending
    inner join {{ ref('air_limit') }} as l
        on
            l.parameter = 'PM2.5'
            and l.averaging_period = '24h'
            and {{ civil_day('t.hour_ending') }} >= l.effective_from
            and {{ civil_day('t.hour_ending') }} < l.effective_to
),

signal as (
    select 'air_quality.aqi_h' as signal_code, station_code, hour_ending as period_end,
        case when quality = 'ok' then aqi::numeric end as value, quality
    from hourly
    union all
    select 'air_quality.aqi_d', station_code, {{ day_start('day + 1') }}, aqi::numeric,
        case when aqi is null then 'insufficient' else 'ok' end
    from {{ ref('fct_air_aqi_daily') }}
    where run_seq > {{ since('fct_air_aqi_daily') }}
    union all
    select 'air_quality.pm25_ratio_24h', station_code, hour_ending, round(ratio, 6),
        case when ratio is not null then 'ok' when quality = 'ok' then 'insufficient' else quality end
    from ratio
)

select
    s.signal_code,
    'station' as entity_type,
    s.station_code as entity_id,
    d.unit_code,
    s.period_end,
    s.value,
    s.quality
from signal as s
inner join {{ ref('dim_air_station') }} as d on s.station_code = d.station_code
