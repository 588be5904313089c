{{ config(
    unique_key=['kind', 'document_id'],
    indexes=keyed(['kind', 'document_id'], [['due_at'], ['registered_at']]),
    meta={'reads': ['int_documents__state']},
    post_hook=["{{ record_newest_data('max(' ~ source_read_at() ~ ')') }}"]
) }}
-- Every document as it is now, with what happened to it on the way and how long it may lie in the registry.
with touched as (
    select distinct kind, document_id from {{ ref('int_documents__state') }}
    where run_seq > {{ since('int_documents__state') }}
),

-- A state that lasted no time was none.
lasting as (
    select
        s.*,
        (s.unit_code <> lag(s.unit_code) over w) as is_transfer,
        (s.due_at > lag(s.due_at) over w) as is_extension,
        (not s.is_finished and lag(s.is_finished) over w) as is_reopening
    from {{ ref('int_documents__state') }} as s
    inner join touched as t on s.kind = t.kind and s.document_id = t.document_id
    where s.valid_from < s.valid_to
    window w as (partition by s.kind, s.document_id order by s.state_no)
),

way as (
    select
        l.*,
        count(*) filter (where l.is_transfer) over w as transferred_count,
        count(*) filter (where l.is_extension) over w as extended_count,
        count(*) filter (where l.is_reopening) over w as reopened_count,
        (array_agg(l.due_at) filter (where l.due_at is not null) over w)[1] as first_due_at
    from lasting as l
    window w as (partition by l.kind, l.document_id order by l.state_no rows between unbounded preceding and current row)
),

version as (
    select distinct on (v.kind, v.document_id)
        v.*,
        {{ local_day('v.registered_at') }} as registered_on
    from {{ ref('stg_documents__version') }} as v
    inner join touched as t on v.kind = t.kind and v.document_id = t.document_id
    order by v.kind, v.document_id, v.version_no desc
),

urgent as (
    select
        v.*,
        u.urgency_level,
        coalesce(u.label_vi, v.urgency_code) as urgency_label,
        case
            when v.kind = 'incoming' and u.forward_work_days is not null then coalesce(u.calendar_code, '')
        end as forward_calendar_code,
        case when v.kind = 'incoming' then u.forward_work_days end as forward_most_work_days
    from version as v
    left join {{ ref('document_urgency') }} as u
        on
            v.urgency_code = u.urgency_code
            and v.registered_on >= u.effective_from
            and v.registered_on < u.effective_to
)

select
    v.kind,
    v.document_id,
    v.code_number,
    v.register_number,
    v.abstract,
    v.document_type,
    v.counterpart,
    v.urgency_code,
    v.urgency_level,
    v.urgency_label,
    v.person_masked,
    v.registered_at,
    v.forwarded_at,
    v.forward_calendar_code,
    v.forward_most_work_days,
    s.unit_code,
    s.unit_name_sent,
    s.status_code,
    s.status_group,
    s.is_status_known,
    s.is_finished,
    s.due_at,
    s.near_from,
    s.finished_at,
    s.is_counted,
    s.first_due_at,
    s.transferred_count,
    s.extended_count,
    s.reopened_count,
    v.changed_at,
    {{ run_seq() }} as run_seq
from urgent as v
inner join way as s on v.kind = s.kind and v.document_id = s.document_id and s.valid_to = 'infinity'
