-- Open dossiers, nobody named: the code leads to the one-stop system, where those who may see more do.
select
    d.dossier_code,
    {{ item_link('public_services', 'd.dossier_code', 'd.dossier_code') }} as dossier_link,
    d.unit_code,
    coalesce(u.unit_name, 'Chưa rõ đơn vị') as unit_name,
    d.field_code,
    d.field_name,
    d.procedure_code,
    d.procedure_name,
    d.channel_code,
    coalesce(c.channel_name_vi, 'Kênh ' || d.channel_code) as channel_name_vi,
    d.status_code,
    coalesce(d.status_name_vi, 'Mã ' || d.status_code) as status_name_vi,
    case
        when not d.is_running then 'Ngừng tính thời gian'
        when d.due_at is null then 'Không có ngày hẹn trả'
        when {{ local_day('d.due_at') }} < {{ today() }} then 'Quá hạn'
        when {{ local_day('d.due_at') }} = {{ today() }} then 'Đến hạn hôm nay'
        when d.due_at - make_interval(hours => s.near_due_hours) <= now() then 'Sắp đến hạn'
        else 'Trong hạn'
    end as deadline_vi,
    d.received_at,
    d.due_at,
    case
        when d.is_running and {{ local_day('d.due_at') }} < {{ today() }} then n.work_day_no - w.work_day_no
    end as overdue_work_days,
    d.supplement_count::bigint as supplement_count,
    d.changed_at
from {{ ref('fct_public_service_dossier') }} as d
left join {{ ref('dim_unit_today') }} as u on d.unit_code = u.unit_code
left join {{ ref('public_service_channel') }} as c on d.channel_code = c.channel_code
left join {{ ref('public_service_setting') }} as s
    on {{ today() }} >= s.effective_from and {{ today() }} < s.effective_to
left join {{ ref('int_public_services__work_day') }} as w on {{ local_day('d.due_at') }} = w.day
left join {{ ref('int_public_services__work_day') }} as n on n.day = {{ today() }}
where d.is_open and d.is_counted
