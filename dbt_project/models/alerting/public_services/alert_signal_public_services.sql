{{ config(
    post_hook=[
        "{{ upsert_signals() }}",
        "{{ upsert_entities(
            'unit', ref('rpt_public_services_unit'), 'unit_code', 'unit_name', 'unit_code', 'longitude', 'latitude'
        ) }}"
    ]
) }}
-- Per unit and hour: how many dossiers are overdue, their share of those in process, and how many fall due within 24 hours.
-- One incident per unit, never one per dossier: the list is in the dashboard.
with unit as (
    select
        unit_code, in_process_count, in_process_overdue_count, near_due_count,
        date_trunc('hour', now()) as period_end
    from {{ ref('rpt_public_services_unit') }}
)

select
    s.signal_code,
    'unit' as entity_type,
    u.unit_code as entity_id,
    case when u.unit_code = 'CHUA-RO' then 'TTPVHCC' else u.unit_code end as unit_code,
    u.period_end,
    s.value,
    'ok' as quality
from unit as u
cross join lateral (
    values
    ('public_services.overdue_count', u.in_process_overdue_count::numeric),
    ('public_services.near_due_count', u.near_due_count::numeric),
    (
        'public_services.overdue_pct',
        coalesce(round(100.0 * u.in_process_overdue_count / nullif(u.in_process_count, 0), 2), 0)
    )
) as s (signal_code, value)
