-- Every document that counts, as it stands at this moment: which group it is in follows the clock, not the last reading; by
-- when it has to leave the registry follows the calendar as it is, not as it was when the document came.
with flagged as (
    select
        c.*,
        {{ document_flags('c', 'now()') }},
        d.day as forward_due_on,
        w.work_day_no - r.work_day_no as forward_work_days
    from {{ ref('fct_documents_current') }} as c
    left join {{ ref('int_documents__work_day') }} as r
        on c.forward_calendar_code = r.calendar_code and {{ local_day('c.registered_at') }} = r.day
    left join {{ ref('int_documents__work_day') }} as w
        on c.forward_calendar_code = w.calendar_code and {{ local_day('c.forwarded_at') }} = w.day
    -- What must leave on its own working day, and came on a day off, has the next working day.
    left join {{ ref('int_documents__work_day') }} as d
        on
            r.calendar_code = d.calendar_code
            and d.is_work_day
            and d.work_day_no = r.work_day_no + c.forward_most_work_days
            + case when c.forward_most_work_days = 0 and not r.is_work_day then 1 else 0 end
    where c.is_counted
)

select
    f.kind,
    k.label_vi as kind_label,
    f.document_id,
    f.code_number,
    f.register_number,
    {{ item_link('documents', 'f.document_id', "coalesce(nullif(f.code_number, ''), f.document_id)") }} as item_link,
    f.abstract,
    f.document_type,
    f.counterpart,
    f.urgency_label,
    f.urgency_level,
    case when f.unit_code = '?' then '{{ var("documents_owner") }}' else f.unit_code end as unit_code,
    coalesce(u.unit_name, f.unit_name_sent, 'Chưa rõ đơn vị') as unit_name,
    coalesce(u.unit_kind_vi, 'Chưa có trong danh mục') as unit_kind,
    f.person_masked,
    f.registered_at,
    f.forwarded_at,
    f.due_at,
    f.first_due_at,
    f.finished_at,
    coalesce(s.label_vi, 'Mã lạ: ' || f.status_code) as status_label,
    case
        when f.is_overdue then 'Quá hạn'
        when f.is_near_due then 'Sắp đến hạn'
        when f.is_overdue_finished then 'Quá hạn đã xử lý'
        when f.is_in_time_open then 'Trong hạn, đang xử lý'
        when f.is_finished_in_time then 'Đã xử lý đúng hạn'
        else 'Không có hạn'
    end as deadline_group,
    f.is_finished,
    f.is_overdue,
    f.is_near_due,
    f.is_overdue_finished,
    f.is_in_time_open,
    f.is_finished_in_time,
    f.is_without_due,
    round(extract(epoch from case
        when f.is_overdue then now() - f.due_at when f.is_overdue_finished then f.finished_at - f.due_at
    end) / 3600, 1) as overdue_hours,
    case when f.is_near_due then round(extract(epoch from f.due_at - now()) / 3600, 1) end as left_hours,
    f.transferred_count,
    f.extended_count,
    f.reopened_count,
    f.forward_due_on,
    f.forward_work_days,
    case
        when f.forward_due_on is null then null
        else coalesce({{ local_day('f.forwarded_at') }}, {{ today() }}) > f.forward_due_on
    end as is_forward_late,
    case
        when f.forward_due_on is null then null
        when coalesce({{ local_day('f.forwarded_at') }}, {{ today() }}) <= f.forward_due_on
            then case when f.forwarded_at is null then 'Chưa chuyển, còn hạn' else 'Chuyển đúng hạn' end
        when f.forwarded_at is null then 'Chưa chuyển, đã trễ'
        else 'Chuyển trễ'
    end as forward_label,
    (u.unit_code is not null) as is_unit_known,
    f.changed_at
from flagged as f
inner join {{ ref('document_kind') }} as k on f.kind = k.kind
left join {{ ref('dim_unit_today') }} as u on f.unit_code = u.unit_code
left join {{ ref('document_status') }} as s
    on
        f.kind = s.kind
        and f.status_code = s.status_code
        and f.changed_at >= {{ day_start('s.effective_from') }}
        and f.changed_at < {{ day_start('s.effective_to') }}
