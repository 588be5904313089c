{{ config(
    post_hook=[
        "{{ upsert_signals() }}",
        "{{ upsert_entities('unit', document_entities(), 'unit_code', 'unit_name', 'unit_code', 'longitude', 'latitude') }}"
    ]
) }}
-- How many documents of a unit are overdue or near their deadline at every second hour up to the last reading, counted from
-- what was true then. Each run says the last days again; only what differs from what was said is an event (upsert_signals).
-- What no known unit answers for is counted too, and goes to the office that owns the domain.
with mark as (
    select m.period_end
    from {{ ref('stg_documents__reading') }} as r
    cross join lateral generate_series(
        date_trunc('hour', r.read_until) - {{ var('documents_signal_days') }} * interval '1 day', r.read_until,
        interval '1 hour'
    ) as m (period_end)
    where
        extract(hour from m.period_end at time zone '{{ var("time_zone") }}')::integer
        % {{ var('documents_signal_hours') }} = 0
),

stood as (
    select
        m.period_end,
        case when s.unit_code = '?' then 'CHUA-RO' else s.unit_code end as unit_code,
        s.is_finished,
        s.due_at,
        {{ document_flags('s', 'm.period_end') }}
    from mark as m
    inner join {{ ref('int_documents__state') }} as s
        on m.period_end >= s.valid_from and m.period_end < s.valid_to
    where s.is_counted
),

counted as (
    select
        period_end,
        unit_code,
        count(*) filter (where is_overdue) as overdue_count,
        count(*) filter (where is_near_due) as near_due_count,
        count(*) filter (where not is_finished and due_at is not null) as open_count
    from stood
    group by period_end, unit_code
)

select
    v.signal_code,
    'unit' as entity_type,
    c.unit_code as entity_id,
    case when c.unit_code = 'CHUA-RO' then '{{ var("documents_owner") }}' else c.unit_code end as unit_code,
    c.period_end,
    v.value,
    v.quality
from counted as c
cross join lateral (
    values
    ('documents.overdue_count', c.overdue_count::numeric, 'ok'),
    ('documents.near_due_count', c.near_due_count::numeric, 'ok'),
    -- A share of a handful says nothing.
    (
        'documents.overdue_share_pct',
        case
            when c.open_count >= {{ var('documents_least_for_share') }}
                then round(100.0 * c.overdue_count / c.open_count, 2)
        end,
        case when c.open_count >= {{ var('documents_least_for_share') }} then 'ok' else 'insufficient' end
    )
) as v (signal_code, value, quality)
