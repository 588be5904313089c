{{ config(
    unique_key=['vessel_code', 'hour_at'],
    indexes=keyed(['vessel_code', 'hour_at'], [['hour_at']]),
    meta={'reads': ['fct_vessel_fix', 'published'], 'newest': 'hour_at'}
) }}
-- What was known of every vessel at sea at each full hour, and at the first hour in which it no longer was. The clock is
-- the feed's own: hours end with the newest message received from anybody, and hours in which nobody was heard make nobody
-- silent.
with feed as (
    select
        date_trunc('hour', max(f.received_at)) as until_at,
        {% if is_increment() %}
            coalesce({{ newest('timestamptz') }}, '-infinity') as done_at
        {% else %}
            '-infinity'::timestamptz as done_at
        {% endif %}
    from {{ ref('int_fishing_vessels__fix') }} as f
),

changed as (
    select k.vessel_code, min(k.ordered_at) as from_at from {{ ref('fct_vessel_fix') }} as k
    where k.run_seq > {{ since('fct_vessel_fix') }}
    group by k.vessel_code
    union all
    select e.vessel_code, min(e.happened_at) from {{ ref('stg_fishing_vessels__port_event') }} as e
    where e.publish_seq > {{ since('published') }}
    group by e.vessel_code
),

stretch as (
    select
        v.vessel_code,
        -- From the hour of its first word on, and anew from the earliest change.
        greatest(
            least(min(c.from_at), nullif(f.done_at, '-infinity')),
            (
                select b.ordered_at from {{ ref('fct_vessel_fix') }} as b
                where b.vessel_code = v.vessel_code
                order by b.ordered_at
                limit 1
            )
        ) as from_at,
        f.until_at
    from {{ ref('dim_vessel') }} as v
    cross join feed as f
    left join changed as c on v.vessel_code = c.vessel_code
    group by v.vessel_code, f.done_at, f.until_at
),

hour as (
    select s.vessel_code, h.hour_at, {{ local_day('h.hour_at') }} as day
    from stretch as s
    -- One hour earlier than needed: whether a vessel was at sea then decides about the row after it.
    cross join lateral
        generate_series(date_trunc('hour', s.from_at) - interval '1 hour', s.until_at, interval '1 hour') as h (hour_at)
),

parameter as materialized ({{ vessel_parameters('hour') }}),

event as materialized (select * from {{ ref('stg_fishing_vessels__port_event') }}),

-- Hours of the feed, with how many before each were dead. Nothing older than the longest limit can matter to a silence.
beat as materialized (
    select
        g.hour_at,
        count(*) filter (where not g.is_alive) over (order by g.hour_at) as dead_hours
    from (
        select
            h.hour_at,
            exists(
                select from {{ ref('int_fishing_vessels__fix') }} as f
                where f.received_at > h.hour_at - interval '1 hour' and f.received_at <= h.hour_at
            ) as is_alive
        from (
            select generate_series(
                min(t.hour_at) - (select max(p.silent_long_h) + 24 from parameter as p) * interval '1 hour',
                max(t.hour_at), interval '1 hour'
            ) as hour_at
            from hour as t
        ) as h
    ) as g
),

known as (
    select
        h.vessel_code, h.hour_at, p.silent_h, p.silent_long_h,
        u.ordered_at as fix_at, u.latitude, u.longitude, u.line_distance_nm, u.zone_code,
        e.happened_at as event_at, e.direction,
        w.ordered_at as heard_at, w.line_level, w.wrong_zone_since, w.sos_since,
        -- A report of the port outweighs older messages, and only those.
        case
            when e.happened_at > coalesce(u.ordered_at, '-infinity')
                then case when e.direction = 'vao' then coalesce(e.port_code, '?') end
            else u.port_code
        end as port_code
    from hour as h
    inner join parameter as p on h.day = p.day
    cross join lateral (
        select f.* from {{ ref('fct_vessel_fix') }} as f
        where f.vessel_code = h.vessel_code and f.ordered_at <= h.hour_at
        order by f.ordered_at desc, f.received_at desc, f.fix_id desc
        limit 1
    ) as w
    left join lateral (
        select f.* from {{ ref('fct_vessel_fix') }} as f
        where f.vessel_code = h.vessel_code and f.ordered_at <= h.hour_at and f.is_used
        order by f.ordered_at desc, f.received_at desc, f.fix_id desc
        limit 1
    ) as u on true
    left join lateral (
        select n.* from event as n
        where n.vessel_code = h.vessel_code and n.happened_at <= h.hour_at
        order by n.happened_at desc, n.event_id desc
        limit 1
    ) as e on true
),

silence as (
    select
        k.*,
        -- Nobody knows where a vessel is of which nothing usable was heard.
        k.port_code is null and coalesce(k.fix_at, k.event_at) is not null as is_at_sea,
        case
            when k.port_code is not null or coalesce(k.fix_at, k.event_at) is null then 0
            else round(greatest(
                extract(epoch from k.hour_at - greatest(k.heard_at, case when k.direction = 'ra' then k.event_at end)) / 3600
                - (now_.dead_hours - coalesce(then_.dead_hours, 0)), 0
            )::numeric, 2)
        end as silent_h_now
    from known as k
    inner join beat as now_ on k.hour_at = now_.hour_at
    left join beat as then_
        on
            then_.hour_at = date_trunc(
                'hour', greatest(k.heard_at, case when k.direction = 'ra' then k.event_at end)
            )
),

marked as (
    select s.*, coalesce(lag(s.is_at_sea) over (partition by s.vessel_code order by s.hour_at), false) as was_at_sea
    from silence as s
)

select
    s.vessel_code,
    s.hour_at,
    s.is_at_sea,
    s.port_code,
    s.fix_at,
    s.latitude,
    s.longitude,
    s.line_distance_nm,
    s.zone_code,
    s.heard_at,
    s.silent_h_now as silent_h,
    s.silent_h_now >= s.silent_h as is_silent,
    s.silent_h_now >= s.silent_long_h as is_silent_long,
    s.line_level,
    s.wrong_zone_since is not null as is_wrong_zone,
    s.sos_since is not null as is_sos,
    {{ run_seq() }} as run_seq
from marked as s
{% if is_increment() %}
    -- An hour that was at sea and, as is known by now, was not: its row says so.
    left join {{ this }} as k on s.vessel_code = k.vessel_code and s.hour_at = k.hour_at
    where s.is_at_sea or s.was_at_sea or k.vessel_code is not null
{% else %}
    where s.is_at_sea or s.was_at_sea
{% endif %}
