-- Every published version of every dossier, in the order in which it was said. `said_at` is the source's time of change,
-- never later than we heard of it and never earlier than the version before: clocks are wrong, the order of saying is not.
-- A filter on dossier_code reaches the raw table: every window is cut by it.
select
    v.dossier_code,
    v.version_no,
    max(least(v.changed_at, v._loaded_at)) over (partition by v.dossier_code order by v.version_no) as said_at,
    v._loaded_at as loaded_at,
    v.publish_seq,
    v.source_unit_code,
    v.procedure_code,
    coalesce(v.procedure_name, p.procedure_name_vi) as procedure_name,
    v.field_code,
    coalesce(v.field_name, v.field_code) as field_name,
    -- The desk leaves the channel empty.
    coalesce(v.channel_code, 1) as channel_code,
    v.status_code,
    v.submitted_at,
    v.receipt_due_at,
    v.received_at,
    v.due_at,
    v.ended_at,
    v.supplement_asked_at,
    coalesce(v.is_deleted, false) as is_deleted,
    coalesce(v.has_digital_parts, false) as has_digital_parts,
    case when jsonb_typeof(v.steps) = 'array' then v.steps else '[]'::jsonb end as steps,
    case when jsonb_typeof(v.supplements) = 'array' then v.supplements else '[]'::jsonb end as supplements
from ({{ record_versions(source('raw_public_services', 'dossier'), ['dossier_code']) }}) as v
left join {{ ref('public_service_procedure') }} as p
    on
        v.procedure_code = p.procedure_code
        and {{ local_day('v.changed_at') }} >= p.effective_from
        and {{ local_day('v.changed_at') }} < p.effective_to
