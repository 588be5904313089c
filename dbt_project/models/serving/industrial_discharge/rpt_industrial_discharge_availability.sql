-- Days since a station was first heard, those without a word included: received moments of those due (288 at five minutes).
-- A running day, and the first one, are measured against what was due so far.
select
    {{ outlet_columns() }},
    d.day,
    e.expected_count,
    coalesce(f.received_count, 0) as received_count,
    round(100.0 * least(coalesce(f.received_count, 0), e.expected_count) / nullif(e.expected_count, 0), 1)
        as availability_pct,
    coalesce(f.calibrating_count, 0) as calibrating_count,
    coalesce(f.device_error_count, 0) as device_error_count,
    coalesce(f.flagged_count, 0) as flagged_count
from {{ ref('dim_discharge_outlet') }} as o
cross join lateral (
    select g::date as day
    from generate_series(
        {{ civil_day("o.first_reading_at + interval '1 hour'") }}::timestamp,
        {{ today() }}::timestamp, interval '1 day'
    ) as g
) as d
left join {{ ref('fct_discharge_availability_daily') }} as f on o.station_code = f.station_code and d.day = f.day
cross join lateral (
    select greatest(
        0,
        floor(
            extract(
                epoch from least({{ this_moment() }}, {{ day_start('d.day + 1') }})
                - greatest({{ day_start('d.day') }}, o.first_reading_at - o.cadence_minutes * interval '1 minute')
            ) / 60 / o.cadence_minutes
        )
    )::bigint as expected_count
) as e
where e.expected_count > 0
