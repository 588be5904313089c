{{ config(
    unique_key=['station_code', 'parameter', 'hour_ending'],
    indexes=keyed(['station_code', 'parameter', 'hour_ending'], [['hour_ending']]),
    meta={'reads': ['int_air_quality__hourly_mean']}
) }}
-- Means over 1, 8 and 24 trailing hours of every pollutant: an hour that changed touches the 23 that follow it.
with touched as (
    select station_code, parameter, hour_ending from {{ ref('int_air_quality__hourly_mean') }}
    where is_pollutant and run_seq > {{ since('int_air_quality__hourly_mean') }}
),

hour as (
    {% if is_increment() %}
        select h.*
        from ({{ spans('touched', 'station_code', 'hour_ending', '46 hours') }}) as s
        cross join lateral (
            select * from {{ ref('int_air_quality__hourly_mean') }} as t
            where
                t.station_code = s.station_code
                and t.hour_ending between s.from_at - interval '23 hours' and s.to_at + interval '23 hours'
                and t.is_pollutant
            offset 0
        ) as h
    {% else %}
        select * from {{ ref('int_air_quality__hourly_mean') }}
        where is_pollutant
    {% endif %}
),

moving as (
    select
        station_code,
        parameter,
        hour_ending,
        mean,
        avg(mean) over eight as mean_8h,
        count(mean) over eight as hour_count_8h,
        avg(mean) over day as mean_24h,
        count(mean) over day as hour_count_24h,
        bool_or(run_seq > {{ since('int_air_quality__hourly_mean') }}) over day as is_touched
    from hour
    window
        eight as (
            partition by station_code, parameter order by hour_ending
            range between interval '7 hours' preceding and current row
        ),
        day as (
            partition by station_code, parameter order by hour_ending
            range between interval '23 hours' preceding and current row
        )
)

select
    station_code,
    parameter,
    hour_ending,
    mean as mean_ug_m3,
    case when hour_count_8h >= 8 * {{ var('completeness_share') }} then {{ exact('mean_8h') }} end as mean_8h_ug_m3,
    case when hour_count_24h >= 24 * {{ var('completeness_share') }} then {{ exact('mean_24h') }} end as mean_24h_ug_m3,
    hour_count_8h,
    hour_count_24h,
    {{ run_seq() }} as run_seq
from moving
where is_touched
