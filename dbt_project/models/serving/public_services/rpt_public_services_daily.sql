{% set figures = [
    'received_count', 'received_late_count', 'carried_over_count', 'processed_count', 'processed_before_due_count',
    'processed_on_due_count', 'processed_overdue_count', 'returned_count', 'in_process_count',
    'in_process_on_time_count', 'in_process_overdue_count', 'near_due_count', 'supplement_count', 'stopped_count',
    'entered_count', 'left_count', 'in_process_first_count', 'in_process_overdue_first_count',
    'processed_first_count',
] %}
-- Closed days: what was true at the end of each, by unit, field and channel; what belonged to a unit that has gone counts
-- with its heirs, by their shares.
with today as (
    select
        f.as_of_day,
        coalesce(b.unit_code, f.unit_code) as unit_code,
        f.field_code,
        f.channel_code,
        {% for figure in figures %}sum(f.{{ figure }} * coalesce(b.weight, 1)) as {{ figure }},
        {% endfor %}
        max(f.restated_count) as restated_count
    from {{ ref('fct_public_service_daily') }} as f
    left join {{ ref('bridge_unit') }} as b on f.unit_code = b.old_code
    group by f.as_of_day, coalesce(b.unit_code, f.unit_code), f.field_code, f.channel_code
)

select
    t.as_of_day,
    t.unit_code,
    coalesce(u.unit_name, 'Chưa rõ đơn vị') as unit_name,
    coalesce(u.unit_kind_vi, 'Chưa rõ') as unit_kind_vi,
    t.field_code,
    coalesce(l.field_name, t.field_code) as field_name,
    t.channel_code,
    coalesce(c.channel_name_vi, 'Kênh ' || t.channel_code) as channel_name_vi,
    {% for figure in figures %}t.{{ figure }},
    {% endfor %}
    t.restated_count
from today as t
left join {{ ref('dim_unit_today') }} as u on t.unit_code = u.unit_code
left join {{ ref('dim_public_service_field') }} as l on t.field_code = l.field_code
left join {{ ref('public_service_channel') }} as c on t.channel_code = c.channel_code
