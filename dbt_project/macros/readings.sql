{#
Readings of automatic stations with their quality flags beside the value: what every network of TT 10/2021 shares. For an
incremental model with the unique key (station_code, measured_at, parameter) that reads `published`.

A flag looks back only, so that nothing published changes because time goes on. How long a value has stood still is carried
from row to row (capped at 24 h), so that a fresh reading needs its predecessor only, and a late one touches no more than the
24 hours and one allowed gap (3 h) that follow it. All parameters of a station at a touched moment are given out together.

`domain` whose batches are read, `versions` every published version of a reading, `parameters` the seed with the thresholds of the flags, `stations` the
registry with cadence and validity.
#}
{% macro flagged_readings(domain, versions, parameters, stations) %}
with {{ 'candidate' if is_increment() else 'incoming' }} as (
    select distinct on (station_code, parameter, measured_at) *
    from {{ versions }}
    -- An array, not a join: the planner then goes through the index on the batch, whatever the size of the history.
    {% if is_increment() %}
        where
            batch_id = any(array(
                select b.batch_id from {{ source('ops', 'load_batch') }} as b
                where b.domain = '{{ domain }}' and b.publish_seq > {{ since('published') }}
            ))
            and publish_seq > {{ since('published') }}
    {% endif %}
    -- The reading that was read last, not published last: a batch may have waited in quarantine meanwhile.
    order by station_code, parameter, measured_at, batch_id desc, loaded_at desc, source_row desc
),

{% if is_increment() %}
    incoming as (
        select c.* from candidate as c
        where
            not exists (
                select from {{ this }} as t
                where
                    t.station_code = c.station_code and t.measured_at = c.measured_at and t.parameter = c.parameter
                    and t.batch_id > c.batch_id
            )
    ),

    touched_span as ({{ spans('incoming', 'station_code', 'measured_at', '32 hours') }}),

    reading as (
        select
            station_code, parameter, measured_at, value_sent, unit_sent, unit, value, is_parameter_known, is_unit_known,
            device_status, loaded_at, publish_seq, batch_id, true as is_emitted,
            0 as same_for_minutes_before, 0 as above_for_minutes_before
        from incoming
        union all
        select
            k.station_code, k.parameter, k.measured_at, k.value_sent, k.unit_sent, k.unit, k.value, k.is_parameter_known,
            k.is_unit_known, k.device_status, k.loaded_at, k.publish_seq, k.batch_id, k.measured_at >= s.from_at,
            case when k.measured_at < s.from_at then k.same_for_minutes else 0 end,
            case when k.measured_at < s.from_at then k.above_for_minutes else 0 end
        from touched_span as s
        cross join lateral (
            select * from {{ this }} as t
            where
                t.station_code = s.station_code
                and t.measured_at between s.from_at - interval '3 hours' and s.to_at + interval '28 hours'
            -- Keeps the planner from turning the index lookup into a scan of the whole table.
            offset 0
        ) as k
        left join incoming as n
            on k.station_code = n.station_code and k.parameter = n.parameter and k.measured_at = n.measured_at
        where n.station_code is null
    ),
{% else %}
    reading as (
        select *, true as is_emitted, 0 as same_for_minutes_before, 0 as above_for_minutes_before from incoming
    ),
{% endif %}

described as (
    select
        r.*,
        p.range_min, p.range_max, p.spike_step, p.stuck_after_minutes, p.stuck_excluded_after_minutes,
        p.fault_after_minutes,
        r.measured_at > r.loaded_at + interval '{{ var("clock_tolerance_minutes") }} minutes' as is_future,
        r.device_status = '00' and r.value > p.fault_above as is_above_fault_level,
        3 * coalesce(s.cadence_minutes, {{ var('default_cadence_minutes') }}) * interval '1 minute' as gap_allowed
    from reading as r
    left join {{ parameters }} as p on r.parameter = p.parameter
    left join {{ stations }} as s
        on r.station_code = s.station_code and r.measured_at >= s.valid_from and r.measured_at < s.valid_to
),

stepped as (
    select
        *,
        measured_at - lag(measured_at) over series > gap_allowed as is_after_gap,
        lag(value) over series as value_before,
        lag(device_status) over series as status_before,
        lag(is_above_fault_level) over series as was_above_fault_level
    from described
    window series as (partition by station_code, parameter order by measured_at)
),

-- A run of equal values (or of one side of the fault level) starts where the step before it differs; what its first row
-- already carried moves the start back. One window order for all: at first build this is sorted once.
run as (
    select
        *,
        max(measured_at - same_for_minutes_before * interval '1 minute') filter (
            where is_after_gap is distinct from false
            or value is distinct from value_before or device_status is distinct from status_before
        ) over series as same_since,
        max(measured_at - above_for_minutes_before * interval '1 minute') filter (
            where is_after_gap is distinct from false or is_above_fault_level is distinct from was_above_fault_level
        ) over series as above_since
    from stepped
    window series as (partition by station_code, parameter order by measured_at)
),

timed as (
    select
        *,
        least(1440, extract(epoch from measured_at - same_since) / 60)::integer as same_for_minutes,
        least(1440, extract(epoch from measured_at - above_since) / 60)::integer as above_for_minutes
    from run
),

flagged as (
    select
        *,
        coalesce(device_status = '00' and value < 0, false) as is_negative,
        coalesce(device_status = '00' and (value < range_min or value > range_max), false) as is_out_of_range,
        coalesce(device_status = '00' and value is not null and same_for_minutes >= stuck_after_minutes, false) as is_stuck,
        coalesce(
            device_status = '00' and value is not null and same_for_minutes >= stuck_excluded_after_minutes, false
        ) as is_stuck_too_long,
        coalesce(
            device_status = '00' and status_before = '00' and not is_after_gap and abs(value - value_before) > spike_step,
            false
        ) as is_spike,
        coalesce(is_above_fault_level and above_for_minutes >= fault_after_minutes, false) as is_sensor_fault
    from timed
)

select
    station_code,
    measured_at,
    parameter,
    {{ hour_ending('measured_at') }} as hour_ending,
    value_sent,
    unit_sent,
    unit,
    value,
    device_status,
    is_parameter_known,
    is_unit_known,
    is_future,
    is_negative,
    is_out_of_range,
    is_stuck,
    is_stuck_too_long,
    is_spike,
    is_sensor_fault,
    same_for_minutes,
    above_for_minutes,
    -- What enters a mean. Stuck for hours and a spike are shown and counted; they erase no measurement.
    (
        device_status = '00' and value is not null
        and not (is_future or is_negative or is_out_of_range or is_stuck_too_long or is_sensor_fault)
    ) as is_valid,
    loaded_at,
    publish_seq,
    batch_id,
    {{ run_seq() }} as run_seq
from flagged
where is_emitted
{% endmacro %}

{# The readings of every hour of which one changed, for an incremental model over `readings`; all of them on a first build. #}
{% macro readings_of_touched_hours(readings, name) %}
    {% if is_increment() %}
        select r.*
        from (
            select distinct station_code, hour_ending from {{ readings }}
            where run_seq > {{ since(name) }}
        ) as touched
        cross join lateral (
            select * from {{ readings }} as t
            where
                t.station_code = touched.station_code
                and t.measured_at > touched.hour_ending - interval '1 hour'
                and t.measured_at <= touched.hour_ending
            offset 0
        ) as r
    {% else %}
        select * from {{ readings }}
    {% endif %}
{% endmacro %}

{# How many values a station with this cadence owes in an hour. #}
{% macro expected_per_hour(cadence_minutes) -%}
    greatest(1, round(60.0 / coalesce({{ cadence_minutes }}, {{ var('default_cadence_minutes') }})))::bigint
{%- endmacro %}

{# Is enough of a period there? #}
{% macro is_complete(count, expected) -%}
    {{ count }} >= {{ var('completeness_share') }} * {{ expected }}
{%- endmacro %}

{# What a station called its unit, in one spelling: µg, ug and UG are one, normal cubic metres are the limits' own. #}
{% macro unit_spelling(unit) -%}
    replace(translate(lower({{ unit }}), 'µμ³ ^°', 'uu3'), 'nm3', 'm3')
{%- endmacro %}

{#
Every published version of every reading of a network, in the parameter's unit. The body of the call says what the network
knows of units: joins to `r` (the raw reading) and `p` (its parameter) that give `unit`, `factor` and `is_unit_known`, all SQL.
An incremental model filters by batch_id, which reaches the raw table's index.
#}
{% macro reading_versions(domain, parameters, unit, factor, is_unit_known) %}
select
    r.station_code,
    r.parameter,
    r.measured_at,
    r.value as value_sent,
    r.unit_raw as unit_sent,
    {{ unit }} as unit,
    trim_scale(r.value * coalesce({{ factor }}, 1)) as value,
    (p.parameter is not null) as is_parameter_known,
    ({{ is_unit_known }}) as is_unit_known,
    coalesce(nullif(r.device_status, ''), '00') as device_status,
    r._loaded_at as loaded_at,
    r._source_row as source_row,
    b.publish_seq,
    r._batch_id as batch_id
from {{ source('raw_' ~ domain, 'reading') }} as r
inner join {{ source('ops', 'load_batch') }} as b on r._batch_id = b.batch_id
left join {{ parameters }} as p on r.parameter = p.parameter
{{ caller() }}
where b.status = 'published'
{% endmacro %}

{#
Every station that ever sent something, registered or not, with the span of its readings. For an incremental model with the unique
key station_code that reads `readings`.
#}
{% macro stations_seen(readings) %}
with fresh as (
    select station_code, min(measured_at) as first_reading_at, max(measured_at) as last_reading_at
    from {{ ref(readings) }}
    where run_seq > {{ since(readings) }} and not is_future
    group by station_code
)

select
    f.station_code,
    {% if is_increment() %}
        least(f.first_reading_at, k.first_reading_at) as first_reading_at,
        greatest(f.last_reading_at, k.last_reading_at) as last_reading_at,
    {% else %}
        f.first_reading_at,
        f.last_reading_at,
    {% endif %}
    {{ run_seq() }} as run_seq
from fresh as f
{% if is_increment() %}
    left join {{ this }} as k on f.station_code = k.station_code
{% endif %}
{% endmacro %}

{# Of the civil days in `touched` (station_code, day) those that are over: by the clock, or because the station spoke of later. #}
{% macro closed_days(touched, hours) %}
    select t.station_code, t.day
    from {{ touched }} as t
    cross join lateral (select {{ day_start('t.day + 1') }} as ends_at) as d
    where
        {{ closed_by_clock('d.ends_at') }}
        or exists (
            select 1 from {{ hours }} as m
            where m.station_code = t.station_code and m.hour_ending >= d.ends_at and m.last_measured_at >= d.ends_at
        )
{% endmacro %}

{# Why there is a mean or none, from `row` with the counts of the device's own words. #}
{% macro quality(is_ok, row) -%}
    case
        when {{ is_ok }} then 'ok'
        when {{ row }}.calibrating_count > 0 and {{ row }}.calibrating_count >= {{ row }}.device_error_count then 'calibrating'
        when {{ row }}.device_error_count > 0 then 'device_error'
        else 'insufficient'
    end
{%- endmacro %}
