{{ config(
    meta={'reads': ['int_industrial_discharge__reading', 'fct_discharge_hourly', 'fct_discharge_daily']},
    post_hook=[
        "{{ upsert_signals() }}",
        "{{ upsert_entities(
            'outlet', ref('dim_discharge_alert_entity'), 'entity_id', 'entity_name', 'unit_code', 'longitude',
            'latitude', 'false'
        ) }}"
    ]
) }}
-- How readings, hours and days that changed since the last build stand to their limits; the post-hook hands them to
-- alerting.signal. Their entity is outlet and parameter, so that a message says what is over its limit. Calibration, device
-- errors (those of the oxygen too) and a stack full of air carry no value: they neither raise nor end an alert. That an
-- outlet speaks, and how many of its parameters are missing, is one signal of the outlet: its silence is one thing, not one
-- per parameter.
with reading as (
    select station_code, parameter, measured_at as period_end, ratio as value, quality
    from {{ ref('int_industrial_discharge__reading') }}
    where
        run_seq > {{ since('int_industrial_discharge__reading') }}
        and not is_future and (limit_min is not null or limit_max is not null)
),

-- Moments of which something new was heard.
moment as (
    select distinct station_code, measured_at, {{ civil_day('hour_ending') }} as day
    from {{ ref('int_industrial_discharge__reading') }}
    where run_seq > {{ since('int_industrial_discharge__reading') }} and not is_future
),

heard as (
    select
        m.station_code, m.measured_at, m.day,
        count(*) filter (
            -- A word of the device is a word too; a logger that has nothing to say is not, nor a value that cannot be used
            -- or whose oxygen did not come: nobody else would notice that its limit is not watched.
            where (r.limit_min is not null or r.limit_max is not null) and r.quality <> 'insufficient'
        ) as heard_count
    from moment as m
    inner join {{ ref('int_industrial_discharge__reading') }} as r
        on m.station_code = r.station_code and m.measured_at = r.measured_at
    group by m.station_code, m.measured_at, m.day
),

expected as (
    select d.station_code, d.day, count(*) as expected_count
    from (select distinct station_code, day from moment) as d
    inner join {{ ref('stg_industrial_discharge__limit') }} as l
        on d.station_code = l.station_code and d.day >= l.effective_from and d.day < l.effective_to
    group by d.station_code, d.day
),

signal as (
    select
        'industrial_discharge.limit_ratio' as signal_code, station_code || '/' || parameter as entity_id, period_end, value,
        quality
    from reading
    union all
    select 'industrial_discharge.limit_ratio_1h', station_code || '/' || parameter, hour_ending, mean_ratio, quality
    from {{ ref('fct_discharge_hourly') }}
    where
        run_seq > {{ since('fct_discharge_hourly') }}
        and (limit_min is not null or limit_max is not null)
        -- A running hour is not judged yet.
        and last_measured_at >= hour_ending
    union all
    select
        'industrial_discharge.limit_ratio_24h', station_code || '/' || parameter, {{ day_start('day + 1') }}, mean_ratio,
        quality
    from {{ ref('fct_discharge_daily') }}
    where run_seq > {{ since('fct_discharge_daily') }} and (limit_min is not null or limit_max is not null)
    union all
    select
        'industrial_discharge.missing_parameters', h.station_code, h.measured_at, e.expected_count - h.heard_count, 'ok'
    from heard as h
    inner join expected as e on h.station_code = e.station_code and h.day = e.day
)

select
    s.signal_code,
    'outlet' as entity_type,
    e.entity_id,
    e.unit_code,
    s.period_end,
    s.value,
    s.quality
from signal as s
inner join {{ ref('dim_discharge_alert_entity') }} as e on s.entity_id = e.entity_id
