{{ config(
    unique_key=['dossier_code', 'state_no'],
    indexes=keyed(['dossier_code', 'state_no'], [['valid_from']]),
    meta={'reads': ['published']},
    post_hook="{{ record_newest_data('max(' ~ source_read_at() ~ ')') }}"
) }}
-- The life of each dossier as a chain of states by the source's own times, rebuilt whole for a dossier that was said anew.
-- Statuses come from the step log of the newest version, and from versions whose status their own log does not explain (a
-- status set back without a step). What a dossier was besides (unit, appointment, deleted) is that of the version in force;
-- before the first version that we saw, supplements tell which appointment held. A row whose state is no more stays as void.
with touched as (
    select distinct r.dossier_code
    from {{ source('raw_public_services', 'dossier') }} as r
    inner join {{ source('ops', 'load_batch') }} as b on r._batch_id = b.batch_id
    where b.status = 'published' and b.publish_seq > {{ since('published') }}
),

version as (
    select * from {{ ref('stg_public_services__dossier_version') }}
    where dossier_code = any(array(select t.dossier_code from touched as t))
),

newest as (
    select distinct on (dossier_code) * from version
    order by dossier_code, version_no desc
),

log as (
    select
        n.dossier_code,
        n.said_at,
        n.ended_at,
        least(s.step_at, n.said_at) as step_at,
        s.status_code,
        s.ord,
        coalesce(g.is_finished, false) as is_finished
    from newest as n
    cross join lateral (
        select
            {{ said_moment("e.step ->> 'ThoiDiemXuLy'") }} as step_at,
            case when e.step ->> 'TrangThai' ~ '^\d{1,3}$' then (e.step ->> 'TrangThai')::bigint end as status_code,
            e.ord
        from jsonb_array_elements(n.steps) with ordinality as e (step, ord)
    ) as s
    left join {{ ref('public_service_status') }} as g
        on
            s.status_code = g.status_code
            and {{ local_day('s.step_at') }} >= g.effective_from
            and {{ local_day('s.step_at') }} < g.effective_to
    where s.step_at is not null and s.status_code is not null
),

-- The end that counts is NgayKetThucXuLy, whenever the step was entered: it moves the first step of the last finished run.
ended as (
    select
        l.*,
        bool_and(l.is_finished) over (
            partition by l.dossier_code order by l.step_at desc, l.ord desc
        ) as is_last_run,
        lag(l.is_finished) over (partition by l.dossier_code order by l.step_at, l.ord) as followed_finished
    from log as l
),

step as (
    select
        e.dossier_code,
        e.status_code,
        case
            when e.is_last_run and not coalesce(e.followed_finished, false)
                then least(coalesce(e.ended_at, e.step_at), e.said_at)
            else e.step_at
        end as step_at,
        e.step_at as logged_at,
        e.ord
    from ended as e
),

said as (
    select
        v.*,
        lead(v.loaded_at) over (partition by v.dossier_code order by v.version_no) as next_loaded_at,
        coalesce((
            select s.step ->> 'TrangThai'
            from jsonb_array_elements(v.steps) with ordinality as s (step, ord)
            order by {{ said_moment("s.step ->> 'ThoiDiemXuLy'") }} desc nulls last, s.ord desc
            limit 1
        ), '') <> v.status_code::text as is_unlogged
    from version as v
),

point as (
    -- In the order of the log: a step may not fall before the one that it follows.
    select
        dossier_code,
        max(step_at) over (partition by dossier_code order by logged_at, ord) as valid_from,
        status_code,
        1 as kind,
        ord
    from step
    union all
    select n.dossier_code, n.received_at, 2, 0, 0
    from newest as n
    where
        n.received_at <= n.said_at
        and n.status_code not in (
            select g.status_code from {{ ref('public_service_status') }} as g
            where not g.is_counted
        )
        and not exists (
            select 1 from log as l
            inner join {{ ref('public_service_status') }} as g on l.status_code = g.status_code and g.is_counted
            where n.dossier_code = l.dossier_code and l.step_at <= n.received_at
        )
    union all
    select
        v.dossier_code,
        case
            when not v.is_unlogged then v.said_at
            when g.is_finished then least(coalesce(v.ended_at, v.said_at), v.said_at)
            else v.said_at
        end,
        case when v.is_unlogged then v.status_code end,
        2,
        v.version_no
    from said as v
    left join {{ ref('public_service_status') }} as g
        on
            v.status_code = g.status_code
            and {{ local_day('v.said_at') }} >= g.effective_from
            and {{ local_day('v.said_at') }} < g.effective_to
),

-- A point without a status keeps the one before it; what else holds is said by the version in force, before the first one
-- that we saw by that one.
filled as (
    select
        p.*,
        count(p.status_code) over life as status_no,
        coalesce(max(p.ord) filter (where p.kind = 2) over life, 1) as version_no
    from point as p
    window life as (partition by p.dossier_code order by p.valid_from, p.kind, p.ord)
),

state as (
    select
        f.dossier_code,
        f.valid_from,
        f.kind,
        f.ord,
        max(f.status_code) over (partition by f.dossier_code, f.status_no) as status_code,
        a.source_unit_code,
        a.procedure_code,
        a.field_code,
        a.channel_code,
        a.received_at,
        a.receipt_due_at,
        coalesce(b.due_before, a.due_at) as due_at,
        a.is_deleted,
        a.has_digital_parts,
        -- When we learned it: with the first version that was said at or after it.
        case when a.said_at >= f.valid_from then a.loaded_at else coalesce(a.next_loaded_at, a.loaded_at) end as loaded_at
    from filled as f
    inner join said as a on f.dossier_code = a.dossier_code and f.version_no = a.version_no
    left join lateral (
        select {{ said_moment("s.request ->> 'NgayHenTraTruoc'") }} as due_before
        from jsonb_array_elements(a.supplements) as s (request)
        where a.said_at > f.valid_from and {{ said_moment("s.request ->> 'NgayTiepNhanBoSung'") }} > f.valid_from
        order by {{ said_moment("s.request ->> 'NgayTiepNhanBoSung'") }}
        limit 1
    ) as b on true
    where f.status_no > 0
),

-- A deletion says nothing of the time before it: the version that we saw first may already carry it.
settled as (
    select
        s.dossier_code,
        s.valid_from,
        s.kind,
        s.ord,
        s.status_code,
        s.source_unit_code,
        s.procedure_code,
        s.field_code,
        s.channel_code,
        coalesce(
            s.received_at, min(s.valid_from) filter (where s.status_code not in (1, 3)) over (partition by s.dossier_code)
        ) as received_at,
        s.receipt_due_at,
        s.due_at,
        s.is_deleted and s.valid_from >= d.deleted_at as is_deleted,
        s.has_digital_parts,
        s.loaded_at
    from state as s
    left join (
        select v.dossier_code, min(v.said_at) as deleted_at from version as v
        where v.is_deleted
        group by v.dossier_code
    ) as d on s.dossier_code = d.dossier_code
),

-- Of several words about one instant the last one counts.
instant as (
    select
        s.*,
        lead(s.valid_from) over (partition by s.dossier_code order by s.valid_from, s.kind, s.ord) as next_at,
        row(
            s.status_code, s.source_unit_code, s.procedure_code, s.field_code, s.channel_code, s.received_at, s.due_at,
            s.is_deleted
        )::text as content
    from settled as s
),

changed as (
    select
        i.*,
        lag(i.content) over (partition by i.dossier_code order by i.valid_from) as content_before
    from instant as i
    where i.next_at is distinct from i.valid_from
),

kept as (
    select
        c.*,
        row_number() over (partition by c.dossier_code order by c.valid_from)::integer as state_no
    from changed as c
    where c.content is distinct from c.content_before
),

result as (
    select
        k.dossier_code,
        k.state_no,
        k.status_code,
        k.source_unit_code,
        k.procedure_code,
        k.field_code,
        k.channel_code,
        k.received_at,
        k.receipt_due_at,
        k.due_at,
        k.is_deleted,
        k.has_digital_parts,
        k.valid_from,
        k.loaded_at,
        false as is_void
    from kept as k
    {% if is_increment() %}
        union all
        select
            t.dossier_code, t.state_no, t.status_code, t.source_unit_code, t.procedure_code, t.field_code, t.channel_code,
            t.received_at, t.receipt_due_at, t.due_at, t.is_deleted, t.has_digital_parts, t.valid_from, t.loaded_at, true
        from {{ this }} as t
        inner join (
            select x.dossier_code, max(x.state_no) as last_no from kept as x
            group by x.dossier_code
        ) as k
            on t.dossier_code = k.dossier_code and t.state_no > k.last_no
    {% endif %}
)

select
    r.*,
    -- From when on figures differ because of this row; unchanged as long as the row is.
    {% if is_increment() %}
        case
            when t.dossier_code is null then r.valid_from
            when
                row(
                    r.status_code, r.source_unit_code, r.procedure_code, r.field_code, r.channel_code, r.received_at,
                    r.due_at, r.is_deleted, r.valid_from, r.is_void
                )::text <> row(
                    t.status_code, t.source_unit_code, t.procedure_code, t.field_code, t.channel_code, t.received_at,
                    t.due_at, t.is_deleted, t.valid_from, t.is_void
                )::text then least(r.valid_from, t.valid_from)
            else t.affected_from
        end as affected_from,
    {% else %}
        r.valid_from as affected_from,
    {% endif %}
    {{ run_seq() }} as run_seq
from result as r
{% if is_increment() %}
    left join {{ this }} as t on r.dossier_code = t.dossier_code and r.state_no = t.state_no
{% endif %}
