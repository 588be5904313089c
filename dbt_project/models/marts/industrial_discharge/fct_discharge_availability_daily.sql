{{ config(
    unique_key=['station_code', 'day'],
    indexes=keyed(['station_code', 'day'], [['day']]),
    meta={'reads': ['fct_discharge_hourly']}
) }}
-- At how many of its moments (288 a day at five minutes) a station was heard at all, whatever the device said.
select
    t.station_code,
    t.day,
    max(h.expected_count) as expected_per_hour_count,
    sum(h.mark_count)::bigint as received_count,
    sum(h.calibrating_count)::bigint as calibrating_count,
    sum(h.device_error_count)::bigint as device_error_count,
    sum(h.flagged_count)::bigint as flagged_count,
    {{ run_seq() }} as run_seq
from (
    select distinct station_code, {{ civil_day('hour_ending') }} as day
    from {{ ref('fct_discharge_hourly') }}
    where run_seq > {{ since('fct_discharge_hourly') }}
) as t
cross join lateral (
    select
        m.hour_ending,
        max(m.expected_count) as expected_count,
        max(m.mark_count) as mark_count,
        sum(m.calibrating_count) as calibrating_count,
        sum(m.device_error_count) as device_error_count,
        sum(m.flagged_count) as flagged_count
    from {{ ref('fct_discharge_hourly') }} as m
    where
        m.station_code = t.station_code
        and m.hour_ending > {{ day_start('t.day') }}
        and m.hour_ending <= {{ day_start('t.day + 1') }}
    group by m.hour_ending
) as h
group by t.station_code, t.day
