{% set figures = [
    'received_count', 'carried_over_count', 'processed_count', 'processed_before_due_count', 'processed_on_due_count',
    'processed_overdue_count', 'in_process_count', 'in_process_on_time_count', 'in_process_overdue_count', 'returned_count',
] %}
{{ config(
    unique_key=['unit_code', 'day', 'measure_code'],
    indexes=keyed(['unit_code', 'day', 'measure_code']),
    meta={'reads': ['published']},
    incremental_strategy='refill'
) }}
-- Three counts of one unit and day. `source_count`: what the source's report says. `recount`: the same definitions over the
-- dossiers that we hold, as they are now, which is how the source counts: a difference means that something is missing on
-- one side. `as_true_count`: what was true on that day: where it differs, the source's figure has drifted since.
-- A unit and day of which the source says nothing, while we hold something, is a difference too: `source_count` is null.
with source as (
    select
        coalesce(u.unit_code, 'CHUA-RO') as unit_code,
        t.day,
        {% for figure in figures %}sum(t.{{ figure }})::bigint as {{ figure }},
        {% endfor %}
        max(t.loaded_at) as said_at
    from {{ ref('stg_public_services__source_total') }} as t
    left join {{ ref('int_public_services__unit') }} as u
        on t.source_unit_code = u.source_unit_code and t.day >= u.valid_from and t.day < u.valid_to
    group by coalesce(u.unit_code, 'CHUA-RO'), t.day
),

dossier as materialized (
    select
        coalesce(d.source_unit_code, '') as source_unit_code,
        d.status_code,
        {{ local_day('d.received_at') }} as received_on,
        {{ local_day('d.due_at') }} as due_on,
        {{ local_day('d.ended_at') }} as ended_on,
        {{ local_day('d.supplement_asked_at') }} as asked_on
    from {{ ref('fct_public_service_dossier') }} as d
    where d.is_counted and d.received_at is not null
),

daily as (
    select
        unit_code,
        as_of_day as day,
        {% for figure in figures %}sum({{ figure }})::bigint as {{ figure }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ ref('fct_public_service_daily') }}
    group by unit_code, as_of_day
),

-- What the source says, and what it leaves out within the days of which it says anything.
asked as (
    select unit_code, day from source
    union
    select d.unit_code, d.day
    from daily as d
    inner join (select min(day) as first_day, max(day) as last_day from source) as s
        on d.day between s.first_day and s.last_day
    where
        greatest(
            {% for figure in figures %}d.{{ figure }}{{ ',' if not loop.last }}
            {% endfor %}
        ) > 0
),

-- The source's units that were this unit on that day.
own as (
    select s.unit_code, s.day, u.source_unit_code
    from asked as s
    inner join {{ ref('int_public_services__unit') }} as u
        on s.unit_code = u.unit_code and s.day >= u.valid_from and s.day < u.valid_to
    union all
    select s.unit_code, s.day, '' as source_unit_code from asked as s
    where s.unit_code = 'CHUA-RO'
),

recounted as (
    select
        s.unit_code,
        s.day,
        count(*) filter (where d.received_on = s.day) as received_count,
        count(*) filter (
            where d.received_on < s.day and (d.status_code in (2, 4, 5, 6, 8) or d.ended_on >= s.day)
        ) as carried_over_count,
        count(*) filter (where j.is_processed) as processed_count,
        count(*) filter (where j.is_processed and d.ended_on < d.due_on) as processed_before_due_count,
        count(*) filter (where j.is_processed and (d.ended_on = d.due_on or d.due_on is null)) as processed_on_due_count,
        count(*) filter (where j.is_processed and d.ended_on > d.due_on) as processed_overdue_count,
        count(*) filter (where j.is_running) as in_process_count,
        count(*) filter (where j.is_running and (d.due_on >= s.day or d.due_on is null)) as in_process_on_time_count,
        count(*) filter (where j.is_running and d.due_on < s.day) as in_process_overdue_count,
        count(*) filter (where d.status_code = 7 and d.ended_on = s.day) as returned_count
    from own as s
    inner join dossier as d on s.source_unit_code = d.source_unit_code
    cross join lateral (
        select
            d.status_code in (9, 10) and d.ended_on = s.day as is_processed,
            d.received_on <= s.day and (
                d.status_code in (2, 4) or (d.status_code in (7, 9, 10) and d.ended_on > s.day)
                or (d.status_code = 5 and d.asked_on > s.day)
            ) as is_running
    ) as j
    group by s.unit_code, s.day
)

select
    a.unit_code,
    a.day,
    m.measure_code,
    m.source_count,
    m.recount,
    m.as_true_count,
    s.said_at,
    {{ run_seq() }} as run_seq
from asked as a
left join source as s on a.unit_code = s.unit_code and a.day = s.day
left join recounted as r on a.unit_code = r.unit_code and a.day = r.day
left join daily as d on a.unit_code = d.unit_code and a.day = d.day
cross join lateral (
    values
    {% for figure in figures %}
        ('{{ figure }}', s.{{ figure }}, coalesce(r.{{ figure }}, 0), coalesce(d.{{ figure }}, 0)){{ ',' if not loop.last }}
    {% endfor %}
) as m (measure_code, source_count, recount, as_true_count)
