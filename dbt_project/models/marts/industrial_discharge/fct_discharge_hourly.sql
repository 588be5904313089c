{{ config(
    unique_key=['station_code', 'hour_ending', 'parameter'],
    indexes=keyed(['station_code', 'hour_ending', 'parameter'], [['hour_ending']]),
    meta={'reads': ['int_industrial_discharge__reading']}
) }}
-- Hour-ending means beside the limit, what was discharged in the hour, and how much of it was measured. A running hour has a
-- row too; its mean appears when enough of it is there. Readings from a wrong clock count nowhere.
with reading as (
    {{ readings_of_touched_hours(ref('int_industrial_discharge__reading'), 'int_industrial_discharge__reading') }}
),

counted as (
    select
        r.station_code,
        r.hour_ending,
        r.parameter,
        count(*) as received_count,
        count(*) filter (where r.is_valid) as valid_count,
        count(r.value_compared) as compared_count,
        count(*) filter (where r.device_status = '01') as calibrating_count,
        count(*) filter (where r.device_status not in ('00', '01')) as device_error_count,
        count(*) filter (
            where r.is_negative or r.is_out_of_range or r.is_stuck or r.is_spike or r.is_sensor_fault
            or r.is_oxygen_unusable
        ) as flagged_count,
        count(*) filter (where r.is_exceeded) as exceeded_count,
        avg(r.value) filter (where r.is_valid) as mean_of_valid,
        avg(r.value_compared) as mean_of_compared,
        min(r.value_compared) as min_value,
        max(r.value_compared) as max_value,
        max(r.ratio) as max_ratio,
        max(r.measured_at) as last_measured_at
    from reading as r
    where not r.is_future
    group by r.station_code, r.hour_ending, r.parameter
),

mark as (
    select r.station_code, r.hour_ending, count(distinct r.measured_at) as mark_count
    from reading as r
    where not r.is_future
    group by r.station_code, r.hour_ending
),

averaged as (
    select
        c.*,
        e.expected_count,
        m.mark_count,
        case
            when {{ is_complete('c.valid_count', 'e.expected_count') }} then {{ exact('c.mean_of_valid') }}
        end as mean_measured,
        case
            when {{ is_complete('c.compared_count', 'e.expected_count') }} then {{ exact('c.mean_of_compared') }}
        end as mean_value
    from counted as c
    inner join mark as m on c.station_code = m.station_code and c.hour_ending = m.hour_ending
    left join {{ ref('stg_industrial_discharge__outlet') }} as o
        on c.station_code = o.station_code and c.hour_ending > o.valid_from and c.hour_ending <= o.valid_to
    cross join lateral (select {{ expected_per_hour('o.cadence_minutes') }} as expected_count) as e
),

with_flow as (
    select
        *,
        -- m³/h over one hour is m³.
        max(mean_measured) filter (where parameter = 'Flow') over (partition by station_code, hour_ending) as flow_m3
    from averaged
)

select
    f.station_code,
    f.hour_ending,
    f.parameter,
    f.expected_count,
    f.mark_count,
    f.received_count,
    f.valid_count,
    f.compared_count,
    f.calibrating_count,
    f.device_error_count,
    f.flagged_count,
    f.exceeded_count,
    f.mean_measured,
    f.mean_value,
    f.min_value,
    f.max_value,
    f.max_ratio,
    l.limit_min,
    l.limit_max,
    trim_scale(round({{ ratio_to_limit('f.mean_value', 'l.limit_min', 'l.limit_max') }}, 6)) as mean_ratio,
    coalesce({{ is_beyond_limit('f.mean_value', 'l.limit_min', 'l.limit_max') }}, false) as is_exceeded,
    case when f.parameter = 'Flow' then f.flow_m3 end as flow_m3,
    -- What leaves the outlet is what was measured, not what it would be at the reference oxygen.
    {{ exact('f.mean_measured * f.flow_m3 / p.load_divisor') }} as load_kg,
    {{ quality('f.mean_value is not null', 'f') }} as quality,
    f.last_measured_at,
    {{ run_seq() }} as run_seq
from with_flow as f
left join {{ ref('discharge_parameter') }} as p on f.parameter = p.parameter
{{ join_limit('f', civil_day('f.hour_ending')) }}
