{{ config(
    unique_key=['station_code', 'day', 'parameter'],
    indexes=keyed(['station_code', 'day', 'parameter']),
    meta={'reads': ['int_air_quality__hourly_mean'], 'newest': 'day'}
) }}
-- What a civil day (labels 01:00 … 00:00) gives per pollutant: 24-hour mean, highest hour, highest of its 24 trailing 8-hour
-- means, the first of which reaches seven hours into the day before. Closed days only.
with touched as (
    select distinct h.station_code, {{ civil_day('h.hour_ending + k.reach') }} as day
    from {{ ref('int_air_quality__hourly_mean') }} as h
    cross join (values (interval '0 hours'), (interval '7 hours')) as k (reach)
    where
        h.is_pollutant
        and (
            h.run_seq > {{ since('int_air_quality__hourly_mean') }}
            {% if is_increment() %}
                -- Days that were still running at the last build and that the clock may have closed since.
                or h.hour_ending > {{ day_start(newest('date')) }}
            {% endif %}
        )
),

closed as ({{ closed_days('touched', ref('int_air_quality__hourly_mean')) }}),

hour as (
    select c.station_code, c.day, h.parameter, h.hour_ending, h.mean
    from closed as c
    cross join lateral (
        select t.parameter, t.hour_ending, t.mean from {{ ref('int_air_quality__hourly_mean') }} as t
        where
            t.station_code = c.station_code
            and t.hour_ending > {{ day_start('c.day') }} - interval '7 hours'
            and t.hour_ending <= {{ day_start('c.day + 1') }}
            and t.is_pollutant
        offset 0
    ) as h
),

-- Every label of the day has an 8-hour mean when six of its hours are there, its own among them or not.
label as (
    select
        p.station_code,
        p.day,
        p.parameter,
        k.step,
        h.hour_ending,
        h.mean,
        avg(h.mean) over eight as mean_8h,
        count(h.mean) over eight as hour_count_8h
    from (select distinct station_code, day, parameter from hour) as p
    cross join generate_series(-6, 24) as k (step)
    left join hour as h
        on
            p.station_code = h.station_code
            and p.day = h.day
            and p.parameter = h.parameter
            and {{ day_start('p.day') }} + k.step * interval '1 hour' = h.hour_ending
    window eight as (
        partition by p.station_code, p.day, p.parameter order by k.step rows between 7 preceding and current row
    )
),

summed as (
    select
        station_code,
        day,
        parameter,
        count(hour_ending) filter (where step >= 1) as heard_hour_count,
        count(mean) filter (where step >= 1) as hour_count,
        avg(mean) filter (where step >= 1) as mean_24h,
        max(mean) filter (where step >= 1) as max_1h,
        count(*) filter (where step >= 1 and hour_count_8h >= 8 * {{ var('completeness_share') }}) as mean_8h_count,
        max(mean_8h) filter (where step >= 1 and hour_count_8h >= 8 * {{ var('completeness_share') }}) as max_8h
    from label
    group by station_code, day, parameter
)

select
    station_code,
    parameter,
    day,
    hour_count,
    case when hour_count >= 24 * {{ var('completeness_share') }} then {{ exact('mean_24h') }} end as mean_24h_ug_m3,
    case when hour_count >= 24 * {{ var('completeness_share') }} then max_1h end as max_1h_ug_m3,
    mean_8h_count,
    case when mean_8h_count >= 24 * {{ var('completeness_share') }} then {{ exact('max_8h') }} end as max_8h_ug_m3,
    {{ run_seq() }} as run_seq
from summed
-- The seven hours that reach into a day do not make one of which nothing was heard.
where heard_hour_count > 0
