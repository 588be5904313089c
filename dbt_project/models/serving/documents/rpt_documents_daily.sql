-- How documents stood at the end of each closed day, by list and unit; what belonged to a unit that has gone counts with its
-- heirs.
with today as (
    select
        f.day,
        f.kind,
        coalesce(b.unit_code, f.unit_code) as unit_code,
        {% for name in [
            'total', 'open', 'overdue', 'near_due', 'overdue_finished', 'in_time_open', 'finished_in_time', 'without_due',
            'finished_that_day'
        ] %}
        sum(f.{{ name }}_count * coalesce(b.weight, 1)) as {{ name }}_count{{ ',' if not loop.last }}
        {% endfor %}
    from {{ ref('fct_documents_daily') }} as f
    left join {{ ref('bridge_unit') }} as b on f.unit_code = b.old_code
    group by f.day, f.kind, coalesce(b.unit_code, f.unit_code)
)

select
    t.day,
    t.kind,
    k.label_vi as kind_label,
    case when t.unit_code = '?' then '{{ var("documents_owner") }}' else t.unit_code end as unit_code,
    coalesce(u.unit_name, 'Chưa có trong danh mục') as unit_name,
    t.total_count,
    t.open_count,
    t.overdue_count,
    t.near_due_count,
    t.overdue_finished_count,
    t.in_time_open_count,
    t.finished_in_time_count,
    t.without_due_count,
    t.finished_that_day_count
from today as t
inner join {{ ref('document_kind') }} as k on t.kind = k.kind
left join {{ ref('dim_unit_today') }} as u on t.unit_code = u.unit_code
