{{ config(
    unique_key=['kind', 'document_id', 'state_no'],
    indexes=keyed(['kind', 'document_id', 'state_no'], [['valid_to'], ['valid_from']]),
    meta={'reads': ['published']}
) }}
-- What every document was, from when until when. As of an instant it is what was said last among what claims to have been so
-- by then: a status that goes backwards, a clock put back and two contents under one time of change all end as the last
-- word, and a reading never changes what was true before its own time of change. Between two readings, and before the first
-- one, the document's own log tells the steps; where a source has no log, the dates of the first reading do.
with touched as (
    select kind, document_id from {{ ref('stg_documents__version') }}
    where publish_seq > {{ since('published') }}
    union
    select kind, document_id from {{ ref('stg_documents__step') }}
    where publish_seq > {{ since('published') }}
),

version as (
    select
        v.*,
        -- Nothing is true before it happens: a time of change ahead of its own reading comes from a wrong clock.
        least(v.changed_at, v.loaded_at) as happened_at
    from {{ ref('stg_documents__version') }} as v
    inner join touched as t on v.kind = t.kind and v.document_id = t.document_id
),

ordered as (
    select
        v.*,
        max(v.happened_at) over (
            partition by v.kind, v.document_id order by v.version_no rows unbounded preceding
        ) as place_at
    from version as v
),

step as (
    select s.*
    from {{ ref('stg_documents__step') }} as s
    inner join touched as t on s.kind = t.kind and s.document_id = t.document_id
    where
        -- What an earlier reading said is not told anew.
        not exists (
            select 1 from version as v
            where
                v.kind = s.kind and v.document_id = s.document_id
                and v.publish_seq < s.publish_seq and v.happened_at >= s.happened_at
        )
),

-- A source without a log: from its registration on the document was open, and finished when its first reading says.
opening as (
    select v.* from version as v
    where
        v.version_no = 1
        and v.registered_at < v.happened_at
        and not exists (
            select 1 from step as s
            where s.kind = v.kind and s.document_id = v.document_id and s.publish_seq <= v.publish_seq
        )
),

point as (
    select
        kind, document_id, 0::bigint as publish_seq, 0 as rank_no, registered_at as place_at, 0 as number,
        registered_at as happened_at, unit_code_sent, unit_name_sent, due_at, '' as status_code,
        null::timestamptz as finished_at, false as is_deleted
    from opening
    union all
    select
        o.kind, o.document_id, 0, 1, o.finished_at as place_at, 1, o.finished_at as happened_at, o.unit_code_sent,
        o.unit_name_sent, o.due_at, o.status_code, o.finished_at, false
    from opening as o
    where o.finished_at between o.registered_at and o.happened_at
    union all
    select
        kind, document_id, publish_seq, 0, happened_at as place_at, step_number, happened_at, unit_code_sent, unit_name_sent,
        due_at, status_code, null, is_deleted
    from step
    union all
    select
        kind, document_id, publish_seq, 1, place_at, version_no, happened_at, unit_code_sent, unit_name_sent, due_at,
        status_code, finished_at, is_deleted
    from ordered
),

numbered as (
    select
        p.*,
        row_number() over (
            partition by p.kind, p.document_id order by p.publish_seq, p.place_at, p.rank_no, p.number
        )::integer as state_no
    from point as p
),

dated as (
    select
        n.*,
        min(n.happened_at) over (
            partition by n.kind, n.document_id order by n.state_no desc rows unbounded preceding
        ) as valid_from
    from numbered as n
),

grouped as (
    select
        d.*,
        coalesce(
            lead(d.valid_from) over (partition by d.kind, d.document_id order by d.state_no), 'infinity'::timestamptz
        ) as valid_to,
        -- An unknown code counts as open until somebody enters it in the seed: nothing disappears.
        coalesce(s.status_group, 'open') as status_group,
        (s.status_group is not null or d.status_code = '') as is_status_known
    from dated as d
    left join {{ ref('document_status') }} as s
        on
            d.kind = s.kind
            and d.status_code = s.status_code
            and d.happened_at >= {{ day_start('s.effective_from') }}
            and d.happened_at < {{ day_start('s.effective_to') }}
),

runs as (
    select
        g.*,
        count(*) filter (where g.status_group <> 'finished') over (
            partition by g.kind, g.document_id order by g.state_no
        ) as run_no
    from grouped as g
),

{{ document_units('runs') }}

select
    r.kind,
    r.document_id,
    r.state_no,
    r.valid_from,
    r.valid_to,
    coalesce(u.unit_code, '?') as unit_code,
    r.unit_name_sent,
    r.status_code,
    r.status_group,
    r.is_status_known,
    (r.status_group = 'finished') as is_finished,
    r.due_at,
    r.due_at - d.near_due_hours * interval '1 hour' as near_from,
    -- A source that does not say when it was finished: when it was first seen so.
    case
        when r.status_group = 'finished'
            then coalesce(
                r.finished_at,
                min(r.valid_from) over (partition by r.kind, r.document_id, r.run_no, r.status_group)
            )
    end as finished_at,
    r.is_deleted,
    (r.status_group <> 'withdrawn' and not r.is_deleted) as is_counted,
    -- The run that heard of it first: what is older than the earliest such state did not change.
    {{ 'coalesce(k.told_run, ' ~ run_seq() ~ ')' if is_increment() else run_seq() }} as told_run,
    {{ run_seq() }} as run_seq
from runs as r
{% if is_increment() %}
    left join {{ this }} as k on r.kind = k.kind and r.document_id = k.document_id and r.state_no = k.state_no
{% endif %}
left join unit as u
    on
        r.unit_code_sent is not distinct from u.unit_code_sent
        and r.unit_name_sent is not distinct from u.unit_name_sent
        and {{ local_day('r.valid_from') }} = u.on_day
left join {{ ref('document_due_rule') }} as d
    on
        r.kind = d.kind
        and r.valid_from >= {{ day_start('d.effective_from') }}
        and r.valid_from < {{ day_start('d.effective_to') }}
