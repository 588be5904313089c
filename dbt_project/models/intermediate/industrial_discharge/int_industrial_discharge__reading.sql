{{ config(
    unique_key=['station_code', 'measured_at', 'parameter'],
    indexes=keyed(['station_code', 'measured_at', 'parameter'], [['measured_at']]),
    meta={'reads': ['published']}
) }}
-- Every reading with its quality flags, at the permit's reference oxygen, beside the limit in force. Calibration and device
-- errors are shown; they never count and never alarm.
with flagged as (
    {{ flagged_readings(
        'industrial_discharge', ref('stg_industrial_discharge__reading_version'), ref('discharge_parameter'),
        ref('stg_industrial_discharge__outlet')
    ) }}
),

beside as (
    select
        *,
        max(value) filter (where parameter = 'O2' and is_valid) over moment as o2_pct,
        max(device_status) filter (where parameter = 'O2') over moment as o2_device_status
    from flagged
    window moment as (partition by station_code, measured_at)
),

-- Joined once per outlet, parameter and day: a limit holds for whole days.
day as (
    select
        d.*,
        l.limit_min,
        l.limit_max,
        case when p.is_o2_corrected then l.o2_reference_pct end as o2_reference_pct
    from (
        select distinct station_code, parameter, {{ civil_day('hour_ending') }} as day from flagged
    ) as d
    {{ join_limit('d', 'd.day') }}
    left join {{ ref('discharge_parameter') }} as p on d.parameter = p.parameter
),

compared as (
    select
        b.*,
        d.limit_min,
        d.limit_max,
        d.o2_reference_pct,
        case
            when b.is_valid then {{ exact(at_reference_oxygen('b.value', 'b.o2_pct', 'd.o2_reference_pct')) }}
        end as value_compared
    from beside as b
    left join day as d
        on
            b.station_code = d.station_code
            and b.parameter = d.parameter
            and {{ civil_day('b.hour_ending') }} = d.day
)

select
    *,
    (is_valid and o2_reference_pct is not null and value_compared is null) as is_oxygen_unusable,
    -- What the alert engine is to make of it. A value that waits for its oxygen is in the state of the oxygen's device; a
    -- stack full of air was heard, and there is nothing to compare ('ok' without a value).
    case
        when value_compared is not null then 'ok'
        when device_status = '01' then 'calibrating'
        when device_status <> '00' then 'device_error'
        when not is_valid then 'insufficient'
        when o2_device_status = '01' then 'calibrating'
        when o2_device_status <> '00' then 'device_error'
        when o2_pct is not null then 'ok'
        else 'insufficient'
    end as quality,
    trim_scale(round({{ ratio_to_limit('value_compared', 'limit_min', 'limit_max') }}, 6)) as ratio,
    coalesce({{ is_beyond_limit('value_compared', 'limit_min', 'limit_max') }}, false) as is_exceeded
from compared
