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
-- alerting.signal. The entity is outlet and parameter, so that a message says what is over its limit, and so that one
-- parameter that falls silent is noticed. Calibration, device errors (those of the oxygen too) and a stack full of air carry
-- no value: they neither raise nor end an alert, and they are no silence.
with reading as (
    select station_code, parameter, measured_at as period_end, ratio as value, quality
    from {{ ref('int_industrial_discharge__reading') }}
    where
        run_seq > {{ since('int_industrial_discharge__reading') }}
        and not is_future and (limit_min is not null or limit_max is not null)
),

signal as (
    select 'industrial_discharge.limit_ratio' as signal_code, station_code, parameter, period_end, value, quality
    from reading
    union all
    select 'industrial_discharge.limit_ratio_1h', station_code, parameter, hour_ending, mean_ratio, quality
    from {{ ref('fct_discharge_hourly') }}
    where
        run_seq > {{ since('fct_discharge_hourly') }}
        and (limit_min is not null or limit_max is not null)
        -- A running hour is not judged yet.
        and last_measured_at >= hour_ending
    union all
    select 'industrial_discharge.limit_ratio_24h', station_code, parameter, {{ day_start('day + 1') }}, mean_ratio, quality
    from {{ ref('fct_discharge_daily') }}
    where run_seq > {{ since('fct_discharge_daily') }} and (limit_min is not null or limit_max is not null)
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
inner join {{ ref('dim_discharge_alert_entity') }} as e on s.station_code || '/' || s.parameter = e.entity_id
