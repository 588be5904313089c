-- What a citizen who knows the code may see: group of the status and the appointment. No name, no procedure.
select
    d.dossier_code,
    d.unit_code,
    coalesce(u.unit_name, 'Chưa rõ đơn vị') as unit_name,
    coalesce(d.group_name_vi, 'Đang cập nhật') as group_name_vi,
    d.received_at,
    d.due_at,
    d.changed_at
from {{ ref('fct_public_service_dossier') }} as d
left join {{ ref('dim_unit_today') }} as u on d.unit_code = u.unit_code
where not d.is_deleted
