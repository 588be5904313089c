{% set figures = [
    'received_count', 'received_online_count', 'processed_count', 'processed_overdue_count', 'in_process_count',
    'in_process_overdue_count', 'supplement_count', 'on_time_operational_count', 'base_operational_count',
    'on_time_766_count', 'base_766_count', 'unjudged_766_count', 'work_day_sum', 'work_day_base_count',
] %}
-- Both measures of on-time by unit and month, with the target of online dossiers; what belonged to a unit that has gone
-- counts with its heirs, by their shares.
with today as (
    select
        f.period_month,
        coalesce(b.unit_code, f.unit_code) as unit_code,
        {% for figure in figures %}sum(f.{{ figure }} * coalesce(b.weight, 1)) as {{ figure }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ ref('fct_public_service_month') }} as f
    left join {{ ref('bridge_unit') }} as b on f.unit_code = b.old_code
    group by f.period_month, coalesce(b.unit_code, f.unit_code)
)

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
    round(m.work_day_sum / nullif(m.work_day_base_count, 0), 2) as mean_work_days
from today as m
left join {{ ref('dim_unit_today') }} as u on m.unit_code = u.unit_code
left join {{ ref('public_service_target') }} as t
    on
        t.measure_code = 'online'
        and t.unit_level = case when u.unit_kind in ('ward', 'commune') then 'commune' else 'department' end
        and m.period_month >= t.effective_from
        and m.period_month < t.effective_to
left join {{ ref('public_service_score') }} as s
    on s.group_code = 2 and m.period_month >= s.effective_from and m.period_month < s.effective_to
