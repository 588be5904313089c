{{ config(materialized='view') }}
-- Status history (SCD2): what a dossier was, from when to when by the source's own times, and when we learned it; its unit
-- is that of the day on which the state began.
select
    s.dossier_code,
    s.state_no,
    s.status_code,
    g.group_code,
    g.is_open,
    g.is_running,
    g.is_finished,
    coalesce(g.is_counted, false) and not s.is_deleted and s.received_at is not null as is_counted,
    s.is_deleted,
    s.source_unit_code,
    coalesce(u.unit_code, 'CHUA-RO') as unit_code,
    s.procedure_code,
    coalesce(s.field_code, '?') as field_code,
    s.channel_code,
    s.received_at,
    s.receipt_due_at,
    s.due_at,
    s.has_digital_parts,
    s.valid_from,
    lead(s.valid_from) over (partition by s.dossier_code order by s.state_no) as valid_to,
    s.loaded_at,
    s.run_seq
from {{ ref('int_public_services__status') }} as s
left join {{ ref('int_public_services__unit') }} as u
    on
        s.source_unit_code = u.source_unit_code
        and {{ local_day('s.valid_from') }} >= u.valid_from
        and {{ local_day('s.valid_from') }} < u.valid_to
left join {{ ref('public_service_status') }} as g
    on
        s.status_code = g.status_code
        and {{ local_day('s.valid_from') }} >= g.effective_from
        and {{ local_day('s.valid_from') }} < g.effective_to
where not s.is_void
