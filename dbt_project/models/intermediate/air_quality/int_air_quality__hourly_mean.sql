{{ config(
    unique_key=['station_code', 'hour_ending', 'parameter'],
    indexes=keyed(['station_code', 'hour_ending', 'parameter'], [['hour_ending']]),
    meta={'reads': ['int_air_quality__reading']}
) }}
-- Hour-ending means of every parameter with their completeness. Readings from a wrong clock count nowhere.
with reading as (
    {{ readings_of_touched_hours(ref('int_air_quality__reading'), 'int_air_quality__reading') }}
),

counted as (
    select
        r.station_code,
        r.hour_ending,
        r.parameter,
        count(*) as received_count,
        count(*) filter (where r.is_valid) as valid_count,
        count(*) filter (where r.device_status = '01') as calibrating_count,
        count(*) filter (where r.device_status not in ('00', '01')) as device_error_count,
        count(*) filter (
            where r.is_negative or r.is_out_of_range or r.is_stuck or r.is_spike or r.is_pm25_above_pm10
            or r.is_sensor_fault
        ) as flagged_count,
        avg(r.value) filter (where r.is_valid) as mean_of_valid,
        max(r.value) filter (where r.is_valid) as max_value,
        max(r.unit) filter (where r.is_valid) as unit,
        max(r.measured_at) as last_measured_at
    from reading as r
    where not r.is_future
    group by r.station_code, r.hour_ending, r.parameter
)

select
    c.station_code,
    c.hour_ending,
    c.parameter,
    coalesce(p.is_pollutant, false) as is_pollutant,
    c.unit,
    e.expected_count,
    c.received_count,
    c.valid_count,
    c.calibrating_count,
    c.device_error_count,
    c.flagged_count,
    case
        when {{ is_complete('c.valid_count', 'e.expected_count') }} then {{ exact('c.mean_of_valid') }}
    end as mean,
    c.max_value,
    c.last_measured_at,
    {{ run_seq() }} as run_seq
from counted as c
left join {{ ref('air_parameter') }} as p on c.parameter = p.parameter
left join {{ ref('stg_air_quality__station') }} as s
    on c.station_code = s.station_code and c.hour_ending >= s.valid_from and c.hour_ending < s.valid_to
cross join lateral (select {{ expected_per_hour('s.cadence_minutes') }} as expected_count) as e
