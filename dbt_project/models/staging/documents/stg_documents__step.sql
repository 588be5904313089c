-- Steps of the documents' own logs, each as it was told first.
with said as (
    {% for kind in document_lists() %}
    select
        '{{ kind }}' as kind,
        v.document_id,
        v.step_number,
        v.publish_seq,
        v.happened_at,
        v.action,
        nullif(btrim(v.unit_code_sent), '') as unit_code_sent,
        nullif(btrim(v.unit_name_sent), '') as unit_name_sent,
        v.due_sent,
        v.due_on,
        v.due_moment,
        v.status_code,
        coalesce(v.is_deleted, false) as is_deleted
    from ({{ record_versions(source('raw_documents', kind ~ '_step'), ['document_id', 'step_number']) }}) as v
    where v.version_no = 1
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    s.kind,
    s.document_id,
    s.step_number,
    s.publish_seq,
    s.happened_at,
    s.action,
    s.unit_code_sent,
    s.unit_name_sent,
    {{ document_due('s', 'r') }} as due_at,
    s.status_code,
    s.is_deleted
from said as s
left join {{ ref('document_due_rule') }} as r
    on
        s.kind = r.kind
        and s.happened_at >= {{ day_start('r.effective_from') }}
        and s.happened_at < {{ day_start('r.effective_to') }}
