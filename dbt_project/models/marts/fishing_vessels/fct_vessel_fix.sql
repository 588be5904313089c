{{ config(
    unique_key=['fix_id'],
    indexes=keyed(['fix_id'], [
        ['vessel_code', 'ordered_at'], ['near_since'], ['across_since'], ['wrong_zone_since'], ['sos_since'], ['is_port_change']
    ]),
    meta={'reads': ['int_fishing_vessels__fix']}
) }}
-- One walk per vessel over its messages in order of time: jumps, repetitions, and the states that need more than one
-- message. Every step looks the next message up in the index, so that no length of history asks for more memory. A walk
-- begins before the earliest message that changed, with what the row before it handed on (`carry`).
with recursive changed as (
    select n.vessel_code, n.ordered_at from {{ ref('int_fishing_vessels__fix') }} as n
    where n.run_seq > {{ since('int_fishing_vessels__fix') }}
    {% if is_increment() %}
        union all
        -- A message that now belongs to another vessel or moment leaves a gap where it was.
        select k.vessel_code, k.ordered_at from {{ ref('int_fishing_vessels__fix') }} as n
        inner join {{ this }} as k on n.fix_id = k.fix_id
        where
            n.run_seq > {{ since('int_fishing_vessels__fix') }}
            and (k.vessel_code, k.ordered_at) is distinct from (n.vessel_code, n.ordered_at)
    {% endif %}
),

touched as (
    select vessel_code, min(ordered_at) as from_at from changed
    group by vessel_code
),

day as (
    select distinct {{ local_day('f.ordered_at') }} as day
    from touched as t
    inner join {{ ref('int_fishing_vessels__fix') }} as f
        on t.vessel_code = f.vessel_code and t.from_at <= f.ordered_at
),

parameter as materialized ({{ vessel_parameters('day') }}),

-- Where a vessel of this length may fish, by day.
zone as materialized (
    select v.vessel_code, z.zone_code, z.effective_from, z.effective_to
    from {{ ref('stg_fishing_vessels__vessel') }} as v
    inner join {{ ref('vessel_zone_rule') }} as z on v.length_m >= z.length_from_m and v.length_m < z.length_below_m
),

seed as (
    select t.vessel_code, t.from_at, b.carry
    from touched as t
    {% if is_increment() %}
        left join lateral (
            select k.carry from {{ this }} as k
            where k.vessel_code = t.vessel_code and k.ordered_at < t.from_at
            order by k.ordered_at desc, k.received_at desc, k.fix_id desc
            limit 1
        ) as b on true
    {% else %}
        cross join (select null::jsonb as carry) as b
    {% endif %}
),

walk as (
    select
        s.vessel_code, ''::text as fix_id, s.from_at as ordered_at, '-infinity'::timestamptz as received_at,
        null::timestamptz as measured_at, null::text as fault, false as is_used,
        c.kept_x, c.kept_y, c.kept_z, c.kept_at, c.jump_x, c.jump_y, c.jump_z, c.jump_at, coalesce(c.jumps, 0) as jumps,
        c.line_nm, coalesce(c.beyond_fixes, 0) as beyond_fixes, coalesce(c.line_level, 0) as line_level,
        c.near_since, c.across_since, coalesce(c.zone_fixes, 0) as zone_fixes, c.wrong_zone_since, c.sos_since,
        c.port_code, null::text as port_before, false as is_port_change, false as is_change
    from seed as s
    cross join lateral jsonb_to_record(coalesce(s.carry, '{}'::jsonb)) as c (
        kept_x double precision, kept_y double precision, kept_z double precision, kept_at timestamptz,
        jump_x double precision, jump_y double precision, jump_z double precision, jump_at timestamptz, jumps integer,
        line_nm double precision, beyond_fixes integer, line_level integer, near_since timestamptz,
        across_since timestamptz, zone_fixes integer, wrong_zone_since timestamptz, sos_since timestamptz, port_code text
    )
    union all
    select
        f.vessel_code, f.fix_id, f.ordered_at, f.received_at, f.measured_at,
        case
            when f.fault is not null then f.fault
            when f.is_repeat then 'trung_lap'
            when not u.is_used then 'nhay_vi_tri'
        end,
        u.is_used,
        case when u.is_used then f.x else w.kept_x end, case when u.is_used then f.y else w.kept_y end,
        case when u.is_used then f.z else w.kept_z end, case when u.is_used then f.ordered_at else w.kept_at end,
        case when u.is_used then null when j.is_jump then f.x else w.jump_x end,
        case when u.is_used then null when j.is_jump then f.y else w.jump_y end,
        case when u.is_used then null when j.is_jump then f.z else w.jump_z end,
        case when u.is_used then null when j.is_jump then f.ordered_at else w.jump_at end,
        case when u.is_used then 0 when j.is_jump then u.jumps else w.jumps end,
        case when u.is_used then f.line_distance_nm else w.line_nm end,
        s.beyond_fixes, l.line_level,
        case when l.line_level = 0 then null when w.line_level = 0 then f.ordered_at else w.near_since end,
        case when l.line_level < 2 then null when w.line_level < 2 then f.ordered_at else w.across_since end,
        s.zone_fixes, l.wrong_zone_since, l.sos_since,
        s.port_code, w.port_code as port_before,
        u.is_used and w.kept_at is not null and coalesce(s.port_code, '') <> coalesce(w.port_code, ''),
        l.line_level <> w.line_level or (l.wrong_zone_since is null) <> (w.wrong_zone_since is null)
        or (l.sos_since is null) <> (w.sos_since is null)
    from walk as w
    cross join lateral (
        select n.*, {{ local_day('n.ordered_at') }} as day, {{ in_space('n.latitude', 'n.longitude') }}
        from {{ ref('int_fishing_vessels__fix') }} as n
        where
            n.vessel_code = w.vessel_code
            and (n.ordered_at, n.received_at, n.fix_id) > (w.ordered_at, w.received_at, w.fix_id)
        order by n.ordered_at, n.received_at, n.fix_id
        limit 1
    ) as m
    inner join parameter as p on m.day = p.day
    left join zone as z on m.vessel_code = z.vessel_code and m.day >= z.effective_from and m.day < z.effective_to
    cross join lateral (
        select
            m.*, p.near_line_nm, p.near_line_exit_nm, p.across_exit_nm, p.across_fixes, p.gps_accuracy_nm, p.max_speed_kn,
            p.jump_accept_fixes, p.wrong_zone_fixes,
            coalesce(m.measured_at = w.measured_at, false) as is_repeat,
            -- Fishing, not passing through: slow, outside port, where a vessel of this length may not fish.
            coalesce(
                m.zone_code <> z.zone_code and m.port_code is null and m.speed_kn <= p.fishing_speed_kn, false
            ) as is_zone_wrong
    ) as f
    -- Faster than a fishing vessel runs, accuracy of both places granted; two in agreement are no longer a slip each.
    cross join lateral (
        select
            f.fault is null and not f.is_repeat as is_usable,
            coalesce(f.fault is null and not f.is_repeat and (
                {{ arc_nm(chord_m('f.', 'w.kept_')) }} - 2 * f.gps_accuracy_nm
            ) > f.max_speed_kn * extract(epoch from f.ordered_at - w.kept_at) / 3600, false) as is_jump,
            coalesce((
                {{ arc_nm(chord_m('f.', 'w.jump_')) }} - 2 * f.gps_accuracy_nm
            ) <= f.max_speed_kn * extract(epoch from f.ordered_at - w.jump_at) / 3600, false) as is_near_jump
    ) as j
    cross join lateral (
        select
            j.is_usable and (not j.is_jump or k.jumps >= f.jump_accept_fixes) as is_used,
            k.jumps
        from (select case when j.is_near_jump then w.jumps + 1 else 1 end as jumps) as k
    ) as u
    cross join lateral (
        select
            case
                when not u.is_used then w.beyond_fixes
                when f.line_distance_nm < 0 then w.beyond_fixes + 1
                else 0
            end as beyond_fixes,
            case
                when not u.is_used then w.zone_fixes
                when f.is_zone_wrong then greatest(w.zone_fixes, 0) + 1
                else least(w.zone_fixes, 0) - 1
            end as zone_fixes,
            -- One accuracy of the device outside is still the port that the vessel was in.
            case
                when not u.is_used or f.near_port_code = w.port_code then w.port_code
                else f.port_code
            end as port_code
    ) as s
    cross join lateral (
        select
            case
                when not u.is_used then w.line_level
                when f.line_distance_nm is null then 0
                when s.beyond_fixes >= f.across_fixes then 2
                when w.line_level = 2 and f.line_distance_nm <= f.across_exit_nm then 2
                when w.line_level > 0 and f.line_distance_nm <= f.near_line_exit_nm then 1
                when
                    f.line_distance_nm <= f.near_line_nm and s.port_code is null
                    and (w.line_nm is null or f.line_distance_nm < w.line_nm)
                    then 1
                else 0
            end as line_level,
            case
                when not u.is_used then w.wrong_zone_since
                when s.port_code is not null or s.zone_fixes <= -f.wrong_zone_fixes then null
                when s.zone_fixes >= f.wrong_zone_fixes then coalesce(w.wrong_zone_since, f.ordered_at)
                else w.wrong_zone_since
            end as wrong_zone_since,
            -- A call for help counts wherever its message says that it comes from.
            case
                when f.is_repeat then w.sos_since
                when f.is_sos then coalesce(w.sos_since, f.ordered_at)
            end as sos_since
    ) as l
)

select
    f.fix_id,
    f.vessel_code,
    f.registration_sent,
    f.is_number_readable,
    f.is_device_mismatch,
    f.device_code,
    f.measured_at,
    f.received_at,
    f.ordered_at,
    f.latitude,
    f.longitude,
    f.speed_kn,
    f.course_deg,
    f.is_sos,
    w.fault,
    w.is_used,
    f.line_distance_nm,
    f.zone_code,
    w.port_code,
    w.port_before,
    w.is_port_change,
    w.line_level,
    w.near_since,
    w.across_since,
    w.wrong_zone_since,
    w.sos_since,
    w.is_change,
    jsonb_strip_nulls(jsonb_build_object(
        'kept_x', w.kept_x, 'kept_y', w.kept_y, 'kept_z', w.kept_z, 'kept_at', w.kept_at,
        'jump_x', w.jump_x, 'jump_y', w.jump_y, 'jump_z', w.jump_z, 'jump_at', w.jump_at, 'jumps', w.jumps,
        'line_nm', w.line_nm, 'beyond_fixes', w.beyond_fixes, 'line_level', w.line_level, 'near_since', w.near_since,
        'across_since', w.across_since, 'zone_fixes', w.zone_fixes, 'wrong_zone_since', w.wrong_zone_since,
        'sos_since', w.sos_since, 'port_code', w.port_code
    )) as carry,
    {{ run_seq() }} as run_seq
from walk as w
inner join {{ ref('int_fishing_vessels__fix') }} as f on w.fix_id = f.fix_id
