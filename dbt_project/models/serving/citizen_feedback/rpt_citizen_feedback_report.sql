-- Every report with its deadline as of now. No sender, no text beyond the masked title.
select
    f.report_code,
    {{ item_link('citizen_feedback', 'f.report_code', 'f.report_code') }} as report_link,
    f.title,
    f.status_code,
    coalesce(f.status_name_vi, 'Chưa rõ trạng thái') as status_name,
    coalesce(f.field_code, '?') as field_code,
    coalesce(f.field_name_vi, 'Chưa rõ lĩnh vực') as field_name,
    coalesce(f.channel_name_vi, 'Chưa rõ kênh') as channel_name,
    f.unit_code,
    case
        when u.unit_name is not null then u.unit_name
        when f.unit_match = 'none' then 'Chưa giao đơn vị'
        when f.unit_match = 'several' then 'Chưa phân bổ: ' || f.unit_name_sent
        else 'Chưa rõ đơn vị: ' || coalesce(f.unit_name_sent, '?')
    end as unit_name,
    u.unit_kind_vi as unit_kind,
    f.commune_code,
    case
        when c.unit_name is not null then c.unit_name
        when f.commune_match = 'several' then 'Chưa phân bổ (' || f.commune_candidates_vi || ')'
        else 'Chưa rõ địa bàn'
    end as commune_name,
    f.sent_at,
    f.received_at,
    f.begun_at,
    f.due_at,
    case when f.is_due_from_source then 'Nguồn ghi' else 'Tính theo quy định' end as due_origin,
    f.finished_at,
    f.published_at,
    f.is_open,
    t.is_overdue,
    t.is_near_due,
    case
        when f.is_open and t.is_overdue then 'Quá hạn'
        when f.is_open and t.is_near_due then 'Sắp hết hạn'
        when f.is_open then 'Trong hạn'
        when f.is_answered_in_time then 'Trả lời đúng hạn'
        when not f.is_answered_in_time then 'Trả lời quá hạn'
        else 'Không phải trả lời'
    end as deadline_state,
    case when f.is_open then round((extract(epoch from f.due_at - now()) / 86400)::numeric, 1) end as days_left,
    f.response_days,
    b.bucket_vi as response_bucket,
    b.bucket_order as response_bucket_order,
    f.is_answered_in_time,
    f.is_published_in_limit,
    f.rating,
    f.transfer_count,
    f.reopen_count,
    f.reopened_at,
    f.original_code,
    nullif(concat_ws(
        ', ',
        case when not f.is_status_known then 'trạng thái lạ' end,
        case when not f.is_field_known then 'lĩnh vực lạ' end,
        case when not f.is_unit_known then 'đơn vị lạ' end,
        case when not f.is_commune_known then 'địa bàn lạ' end,
        case when f.has_wrong_time then 'thời gian sai' end
    ), '') as flags_vi,
    f.changed_at
from {{ ref('fct_citizen_feedback_report') }} as f
left join {{ ref('dim_unit_today') }} as u on f.unit_code = u.unit_code
left join {{ ref('dim_unit_today') }} as c on f.commune_code = c.unit_code
left join {{ ref('feedback_near_due') }} as n
    on now() >= {{ day_start('n.effective_from') }} and now() < {{ day_start('n.effective_to') }}
left join {{ ref('feedback_bucket') }} as b on f.response_days >= b.from_days and f.response_days < b.to_days
cross join lateral (
    select
        (f.is_open and f.due_at < now()) as is_overdue,
        (
            f.is_open and f.due_at >= now() and (
                f.due_at - now() <= n.days_left * interval '1 day'
                or f.due_at - now() <= n.share_left * (f.due_at - f.begun_at)
            )
        ) is true as is_near_due
) as t
