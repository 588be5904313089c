{{ config(
    unique_key=['station_code', 'day', 'parameter'],
    indexes=keyed(['station_code', 'day', 'parameter'], [['day']]),
    meta={'reads': ['fct_discharge_hourly'], 'newest': 'day'}
) }}
-- A civil day of an outlet and parameter: the 24-hour mean on which an exceedance is proven, and what was discharged. Closed
-- days only. A mean needs 18 of its 24 hours; flow and load are the sum of the hours that have them, with how many they are.
with touched as (
    select distinct station_code, {{ civil_day('hour_ending') }} as day
    from {{ ref('fct_discharge_hourly') }}
    where
        run_seq > {{ since('fct_discharge_hourly') }}
        {% if is_increment() %}
            -- Days that were still running at the last build and that the clock may have closed since.
            or hour_ending > {{ day_start(newest('date')) }}
        {% endif %}
),

closed as ({{ closed_days('touched', ref('fct_discharge_hourly')) }}),

summed as (
    select
        c.station_code,
        c.day,
        h.parameter,
        count(*) as heard_hour_count,
        count(h.mean_value) as hour_count,
        avg(h.mean_value) as mean_24h,
        max(h.mean_value) as max_1h,
        max(h.max_ratio) as max_ratio,
        sum(h.exceeded_count)::bigint as exceeded_count,
        count(*) filter (where h.is_exceeded) as exceeded_hour_count,
        sum(h.calibrating_count)::bigint as calibrating_count,
        sum(h.device_error_count)::bigint as device_error_count,
        sum(h.flow_m3) as flow_m3,
        sum(h.load_kg) as load_kg,
        count(h.load_kg) as load_hour_count
    from closed as c
    cross join lateral (
        select * from {{ ref('fct_discharge_hourly') }} as t
        where
            t.station_code = c.station_code
            and t.hour_ending > {{ day_start('c.day') }}
            and t.hour_ending <= {{ day_start('c.day + 1') }}
        offset 0
    ) as h
    group by c.station_code, c.day, h.parameter
),

averaged as (
    select *, case when {{ is_complete('hour_count', 24) }} then {{ exact('mean_24h') }} end as mean_value
    from summed
)

select
    a.station_code,
    a.day,
    a.parameter,
    a.heard_hour_count,
    a.hour_count,
    a.mean_value,
    a.max_1h,
    a.max_ratio,
    l.limit_min,
    l.limit_max,
    l.citation,
    trim_scale(round({{ ratio_to_limit('a.mean_value', 'l.limit_min', 'l.limit_max') }}, 6)) as mean_ratio,
    coalesce({{ is_beyond_limit('a.mean_value', 'l.limit_min', 'l.limit_max') }}, false) as is_exceeded,
    a.exceeded_count,
    a.exceeded_hour_count,
    a.calibrating_count,
    a.device_error_count,
    a.flow_m3,
    a.load_kg,
    a.load_hour_count,
    {{ quality('a.mean_value is not null', 'a') }} as quality,
    {{ run_seq() }} as run_seq
from averaged as a
{{ join_limit('a', 'a.day') }}
