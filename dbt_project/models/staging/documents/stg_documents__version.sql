-- Every published version of every document, in the order in which they were said (version_no). A petition carries its
-- sender's name and telephone in what was typed: free texts are masked here, as those of citizens' reports are.
with said as (
    {% for kind in document_lists() %}
    select
        '{{ kind }}' as kind,
        v.document_id,
        v.version_no,
        v.publish_seq,
        v.changed_at,
        v._loaded_at as loaded_at,
        v.registered_at,
        {{ 'v.forwarded_at' if kind == 'incoming' else 'null::timestamptz' }} as forwarded_at,
        v.register_number,
        v.code_number,
        v.abstract,
        v.document_type,
        v.counterpart,
        v.person_name,
        v.urgency_code,
        nullif(btrim(v.unit_code_sent), '') as unit_code_sent,
        nullif(btrim(v.unit_name_sent), '') as unit_name_sent,
        v.due_sent,
        v.due_on,
        v.due_moment,
        v.status_code,
        v.finished_at,
        coalesce(v.is_deleted, false) as is_deleted
    from ({{ record_versions(source('raw_documents', kind), ['document_id']) }}) as v
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    s.kind,
    s.document_id,
    s.version_no,
    s.publish_seq,
    s.changed_at,
    s.loaded_at,
    s.registered_at,
    s.forwarded_at,
    s.register_number,
    s.code_number,
    {{ masked_text('s.abstract', ['s.person_name']) }} as abstract,
    s.document_type,
    {{ masked_text('s.counterpart', ['s.person_name']) }} as counterpart,
    s.urgency_code,
    s.unit_code_sent,
    s.unit_name_sent,
    {{ masked_name('s.person_name') }} as person_masked,
    {{ document_due('s', 'r') }} as due_at,
    r.near_due_hours,
    s.status_code,
    s.finished_at,
    s.is_deleted
from said as s
left join {{ ref('document_due_rule') }} as r
    on
        s.kind = r.kind
        and s.registered_at >= {{ day_start('r.effective_from') }}
        and s.registered_at < {{ day_start('r.effective_to') }}
