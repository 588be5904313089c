{{ config(
    unique_key=['station_code', 'resumed_at'],
    indexes=keyed(['station_code', 'resumed_at'], [['resumed_at']]),
    meta={'reads': ['int_industrial_discharge__reading']},
    post_hook=["delete from {{ this }} where not is_gap"]
) }}
-- Silences that are over: a moment that was heard, and how long nothing had been heard before it. Late files shorten or
-- close them: such a row is emitted once more as no gap, and the post-hook removes it.
with fresh as (
    select distinct station_code, measured_at from {{ ref('int_industrial_discharge__reading') }}
    where run_seq > {{ since('int_industrial_discharge__reading') }} and not is_future
),

{% if is_increment() %}
    -- The moment after each fresh one has another one before it now.
    mark as (
        select station_code, measured_at from fresh
        union
        select f.station_code, n.measured_at
        from fresh as f
        cross join lateral (
            select t.measured_at from {{ ref('int_industrial_discharge__reading') }} as t
            where t.station_code = f.station_code and t.measured_at > f.measured_at and not t.is_future
            order by t.measured_at
            limit 1
        ) as n
    ),

    stepped as (
        select m.station_code, m.measured_at as resumed_at, b.measured_at as last_heard_at
        from mark as m
        cross join lateral (
            select t.measured_at from {{ ref('int_industrial_discharge__reading') }} as t
            where t.station_code = m.station_code and t.measured_at < m.measured_at and not t.is_future
            order by t.measured_at desc
            limit 1
        ) as b
    ),
{% else %}
    stepped as (
        select
            station_code, measured_at as resumed_at,
            lag(measured_at) over (partition by station_code order by measured_at) as last_heard_at
        from fresh
    ),
{% endif %}

measured as (
    select
        s.station_code,
        s.resumed_at,
        s.last_heard_at,
        {{ minutes_between('s.last_heard_at', 's.resumed_at') }} as gap_minutes,
        coalesce(c.is_gap, false) as is_gap
    from stepped as s
    {{ join_silence('s.last_heard_at', 's.resumed_at') }}
)

select m.*, {{ run_seq() }} as run_seq
from measured as m
{% if is_increment() %}
    left join {{ this }} as k on m.station_code = k.station_code and m.resumed_at = k.resumed_at
    where m.is_gap or k.station_code is not null
{% else %}
    where m.is_gap
{% endif %}
