-- A running day is measured against the hours that have begun.
select
    f.station_code,
    s.station_name,
    f.day,
    e.expected_count,
    f.received_count,
    f.valid_count,
    f.calibrating_count,
    f.device_error_count,
    f.flagged_count,
    round(100.0 * least(f.valid_count, e.expected_count) / nullif(e.expected_count, 0), 1) as completeness_pct,
    s.commune_code,
    s.unit_code,
    s.is_public,
    s.is_registered
from {{ ref('fct_air_completeness_daily') }} as f
inner join {{ ref('dim_air_station') }} as s on f.station_code = s.station_code
cross join lateral (
    select
        (
            f.expected_per_hour_count
            * least(greatest(ceil(extract(epoch from now() - {{ day_start('f.day') }}) / 3600), 1), 24)
        )::bigint as expected_count
) as e
