{{ config(
    unique_key=['station_code', 'day'],
    indexes=keyed(['station_code', 'day'], [['day']]),
    meta={'reads': ['int_air_quality__hourly_mean']}
) }}
-- How much of what a station owes arrived, and in what state: all its parameters together.
with hour as (
    select t.day, h.*
    from (
        select distinct station_code, {{ civil_day('hour_ending') }} as day
        from {{ ref('int_air_quality__hourly_mean') }}
        where run_seq > {{ since('int_air_quality__hourly_mean') }}
    ) as t
    cross join lateral (
        select * from {{ ref('int_air_quality__hourly_mean') }} as m
        where
            m.station_code = t.station_code
            and m.hour_ending > {{ day_start('t.day') }}
            and m.hour_ending <= {{ day_start('t.day + 1') }}
        offset 0
    ) as h
),

per_parameter as (
    select
        station_code, day, parameter,
        max(expected_count) as expected_per_hour_count,
        sum(received_count) as received_count,
        sum(valid_count) as valid_count,
        sum(calibrating_count) as calibrating_count,
        sum(device_error_count) as device_error_count,
        sum(flagged_count) as flagged_count
    from hour
    group by station_code, day, parameter
)

select
    station_code,
    day,
    sum(expected_per_hour_count)::bigint as expected_per_hour_count,
    sum(received_count)::bigint as received_count,
    sum(valid_count)::bigint as valid_count,
    sum(calibrating_count)::bigint as calibrating_count,
    sum(device_error_count)::bigint as device_error_count,
    sum(flagged_count)::bigint as flagged_count,
    {{ run_seq() }} as run_seq
from per_parameter
group by station_code, day
