-- Cases as they stand now, with their tasks counted. What people typed (titles, notes, comments) stays in the portal.
with unit as ({{ unit_names() }}),

task as (
    select
        case_id,
        count(*) as task_count,
        count(*) filter (where status in ('done', 'skipped', 'rejected', 'cancelled')) as finished_count,
        count(*) filter (where due_at < coalesce(finished_at, now()) and status <> 'cancelled') as overdue_count
    from {{ source('sop', 'task') }}
    group by case_id
)

select
    c.case_id,
    c.code as case_code,
    {{ portal_link("'/vu-viec/' || c.code", 'c.code') }} as case_link,
    coalesce(t.title_vi, 'Vụ việc lập thủ công') as procedure_title,
    coalesce(r.domain, 'ioc') as domain,
    {{ incident_code('c.incident_id') }} as incident_code,
    c.unit_code,
    coalesce(u.name_vi, c.unit_code, 'Toàn tỉnh') as unit_name,
    c.level,
    c.status,
    case c.status when 'open' then 'Đang xử lý' when 'closed' then 'Đã đóng' else 'Đã hủy' end as status_label,
    c.opened_at,
    c.closed_at,
    {{ minutes_between('c.opened_at', 'coalesce(c.closed_at, now())') }} as duration_minutes,
    c.close_reason,
    c.closed_while_firing,
    coalesce(k.task_count, 0)::bigint as task_count,
    coalesce(k.finished_count, 0)::bigint as finished_count,
    coalesce(k.overdue_count, 0)::bigint as overdue_count
from {{ source('sop', 'case_') }} as c
left join {{ source('sop', 'template') }} as t on c.template_id = t.template_id
left join {{ source('alert', 'incident') }} as i on c.incident_id = i.incident_id
left join {{ source('alert', 'rule') }} as r on i.rule_id = r.rule_id
left join unit as u on c.unit_code = u.code
left join task as k on c.case_id = k.case_id
