{{ config(
    unique_key=['dossier_code'],
    indexes=keyed(['dossier_code'], [['unit_code']]),
    meta={'reads': ['published']},
    incremental_strategy='refill'
) }}
-- Each dossier as the source says it now, without anything that names a person.
with newest as (
    select distinct on (v.dossier_code) v.*
    from {{ ref('stg_public_services__dossier_version') }} as v
    order by v.dossier_code, v.version_no desc
)

select
    n.dossier_code,
    n.status_code,
    g.status_name_vi,
    g.group_code,
    g.group_name_vi,
    coalesce(g.is_counted, false) and not n.is_deleted as is_counted,
    coalesce(g.is_open, false) and not n.is_deleted as is_open,
    coalesce(g.is_running, false) and not n.is_deleted as is_running,
    coalesce(g.is_finished, false) as is_finished,
    n.is_deleted,
    n.source_unit_code,
    u.source_unit_name,
    coalesce(u.unit_code, 'CHUA-RO') as unit_code,
    u.matched_by,
    n.procedure_code,
    n.procedure_name,
    coalesce(n.field_code, '?') as field_code,
    coalesce(n.field_name, '?') as field_name,
    n.channel_code,
    n.submitted_at,
    n.receipt_due_at,
    n.received_at,
    n.due_at,
    n.ended_at,
    n.supplement_asked_at,
    jsonb_array_length(n.supplements) as supplement_count,
    n.has_digital_parts,
    n.said_at as changed_at,
    n.loaded_at,
    {{ run_seq() }} as run_seq
from newest as n
left join {{ ref('public_service_status') }} as g
    on
        n.status_code = g.status_code
        and {{ local_day('n.said_at') }} >= g.effective_from
        and {{ local_day('n.said_at') }} < g.effective_to
left join {{ ref('dim_public_service_unit') }} as u on n.source_unit_code = u.source_unit_code
