-- Tasks of procedures as they stand now: which unit, how fast, how late.
with unit as ({{ unit_names() }})

select
    t.task_id,
    c.code as case_code,
    {{ portal_link("'/vu-viec/' || c.code", 'c.code') }} as case_link,
    coalesce(p.title_vi, 'Vụ việc lập thủ công') as procedure_title,
    t.step_code,
    coalesce(s.title_vi, t.step_code) as step_title,
    coalesce(r.domain, 'ioc') as domain,
    t.unit_code,
    coalesce(u.name_vi, t.unit_code, 'Toàn tỉnh') as unit_name,
    c.level,
    t.status,
    case t.status
        when 'waiting' then 'Chờ bước trước' when 'ready' then 'Sẵn sàng' when 'assigned' then 'Đã giao'
        when 'accepted' then 'Đã nhận' when 'in_progress' then 'Đang làm' when 'done' then 'Hoàn thành'
        when 'rejected' then 'Từ chối' when 'skipped' then 'Bỏ qua' else 'Đã hủy'
    end as status_label,
    t.ready_at,
    t.due_at,
    t.accepted_at,
    t.finished_at,
    t.outcome,
    {{ minutes_between('t.ready_at', 't.accepted_at') }} as minutes_to_accept,
    {{ minutes_between('t.ready_at', 't.finished_at') }} as minutes_to_finish,
    coalesce(t.due_at < coalesce(t.finished_at, now()) and t.status <> 'cancelled', false) as is_overdue,
    (t.status in ('done', 'rejected', 'skipped', 'cancelled')) as is_finished
from {{ source('sop', 'task') }} as t
inner join {{ source('sop', 'case_') }} as c on t.case_id = c.case_id
left join {{ source('sop', 'template') }} as p on c.template_id = p.template_id
left join {{ source('sop', 'step') }} as s on c.template_id = s.template_id and t.step_code = s.code
left join {{ source('alert', 'incident') }} as i on c.incident_id = i.incident_id
left join {{ source('alert', 'rule') }} as r on i.rule_id = r.rule_id
left join unit as u on t.unit_code = u.code
