-- Both measures of on-time by unit and month, with the target of online dossiers.
select
    m.period_month,
    m.unit_code,
    coalesce(u.unit_name, 'Chưa rõ đơn vị') as unit_name,
    coalesce(u.unit_kind_vi, 'Chưa rõ') as unit_kind_vi,
    m.received_count,
    m.received_online_count,
    round(100.0 * m.received_online_count / nullif(m.received_count, 0), 2) as online_pct,
    t.target_pct as online_target_pct,
    m.processed_count,
    m.processed_overdue_count,
    m.in_process_count,
    m.in_process_overdue_count,
    m.supplement_count,
    m.on_time_operational_count,
    m.base_operational_count,
    round(100.0 * m.on_time_operational_count / nullif(m.base_operational_count, 0), 2) as on_time_operational_pct,
    m.on_time_766_count,
    m.base_766_count,
    m.unjudged_766_count,
    round(100.0 * m.on_time_766_count / nullif(m.base_766_count, 0), 2) as on_time_766_pct,
    -- Of the maximum of the group, in proportion (start value, QĐ 766 leaves the steps to its annex).
    round(s.max_score * m.on_time_766_count / nullif(m.base_766_count, 0), 2) as timeliness_score,
    s.max_score as timeliness_max_score,
    m.mean_work_days
from {{ ref('fct_public_service_month') }} as m
left join {{ ref('dim_unit_today') }} as u on m.unit_code = u.unit_code
left join {{ ref('public_service_target') }} as t
    on
        t.measure_code = 'online'
        and t.unit_level = case when u.unit_kind in ('ward', 'commune') then 'commune' else 'department' end
        and m.period_month >= t.effective_from
        and m.period_month < t.effective_to
left join {{ ref('public_service_score') }} as s
    on s.group_code = 2 and m.period_month >= s.effective_from and m.period_month < s.effective_to
