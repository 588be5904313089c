-- The source's own totals beside ours: what is missing, and what has drifted since the day; what belonged to a unit that has
-- gone counts with its heirs, by their shares.
with today as (
    select
        f.day,
        coalesce(b.unit_code, f.unit_code) as unit_code,
        f.measure_code,
        sum(f.source_count * coalesce(b.weight, 1)) as source_count,
        sum(f.recount * coalesce(b.weight, 1)) as recount,
        sum(f.as_true_count * coalesce(b.weight, 1)) as as_true_count,
        max(f.said_at) as said_at
    from {{ ref('fct_public_service_reconciliation') }} as f
    left join {{ ref('bridge_unit') }} as b on f.unit_code = b.old_code
    group by f.day, coalesce(b.unit_code, f.unit_code), f.measure_code
)

select
    r.day,
    r.unit_code,
    coalesce(u.unit_name, 'Chưa rõ đơn vị') as unit_name,
    r.measure_code,
    case r.measure_code
        when 'received_count' then 'Tiếp nhận trong kỳ'
        when 'carried_over_count' then 'Kỳ trước chuyển sang'
        when 'processed_count' then 'Đã xử lý'
        when 'processed_before_due_count' then 'Đã xử lý trước hạn'
        when 'processed_on_due_count' then 'Đã xử lý đúng hạn'
        when 'processed_overdue_count' then 'Đã xử lý quá hạn'
        when 'in_process_count' then 'Đang xử lý'
        when 'in_process_on_time_count' then 'Đang xử lý trong hạn'
        when 'in_process_overdue_count' then 'Đang xử lý quá hạn'
        when 'returned_count' then 'Trả lại'
    end as measure_vi,
    r.source_count,
    r.recount,
    r.as_true_count,
    r.source_count - r.recount as missing_difference,
    r.recount - r.as_true_count as drift,
    case
        when r.source_count is null then 'Nguồn không báo'
        when r.source_count <> r.recount then 'Lệch số liệu nguồn'
        when r.recount <> r.as_true_count then 'Nguồn đổi số liệu về sau'
        else 'Khớp'
    end as verdict_vi,
    r.said_at
from today as r
left join {{ ref('dim_unit_today') }} as u on r.unit_code = u.unit_code
