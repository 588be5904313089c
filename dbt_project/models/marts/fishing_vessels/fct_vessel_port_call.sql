{{ config(materialized='view') }}
-- Arrivals and departures: seen by position (the first message inside, the first outside), reported by a port, or both. One
-- call is seen and reported within six hours of each other.
with seen as (
    select f.vessel_code, c.direction, c.port_code, f.ordered_at as seen_at, f.fix_id
    from {{ ref('fct_vessel_fix') }} as f
    cross join lateral (values ('vao', f.port_code), ('ra', f.port_before)) as c (direction, port_code)
    where f.is_port_change and c.port_code is not null
),

matched as (
    select s.*, r.event_id, r.happened_at as reported_at
    from seen as s
    left join lateral (
        select e.event_id, e.happened_at from {{ ref('stg_fishing_vessels__port_event') }} as e
        where
            e.vessel_code = s.vessel_code and e.direction = s.direction and e.port_code = s.port_code
            and e.happened_at between s.seen_at - interval '6 hours' and s.seen_at + interval '6 hours'
        order by abs(extract(epoch from e.happened_at - s.seen_at)), e.event_id
        limit 1
    ) as r on true
),

call as (
    select vessel_code, direction, port_code, seen_at, reported_at from matched
    union all
    select e.vessel_code, e.direction, e.port_code, null, e.happened_at
    from {{ ref('stg_fishing_vessels__port_event') }} as e
    left join matched as m on e.event_id = m.event_id
    where m.event_id is null
)

select
    c.vessel_code,
    c.direction,
    c.port_code,
    coalesce(p.port_name_vi, c.port_code) as port_name,
    coalesce(c.reported_at, c.seen_at) as happened_at,
    c.seen_at,
    c.reported_at
from call as c
left join {{ ref('vessel_port') }} as p
    on
        c.port_code = p.port_code
        and {{ local_day('coalesce(c.reported_at, c.seen_at)') }} >= p.effective_from
        and {{ local_day('coalesce(c.reported_at, c.seen_at)') }} < p.effective_to
