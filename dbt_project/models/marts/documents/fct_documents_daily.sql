{{ config(
    unique_key=['day', 'kind', 'unit_code'],
    indexes=keyed(['day', 'kind', 'unit_code']),
    meta={'reads': ['int_documents__state'], 'newest': 'day'}
) }}
-- How the documents of a unit stood at the end of each closed day: a day is closed once all lists have been read past its
-- end. The figures come from what was true then, so a later change moves none of them; a reading that says something of the
-- past has its days counted again.
with bound as (
    select
        {{ local_day('r.read_until') }} - 1 as last_day,
        least(
            coalesce(
                (
                    select {{ local_day('min(s.valid_from)') }} from {{ ref('int_documents__state') }} as s
                    where s.told_run > {{ since('int_documents__state') }}
                ),
                'infinity'
            ),
            coalesce({{ newest('date') }} + 1, '-infinity')
        ) as first_changed_day,
        {{ local_day('r.read_until') }} - {{ var('documents_daily_days') }} as horizon
    from {{ ref('stg_documents__reading') }} as r
),

day as (
    select d.day::date as day, {{ day_start('d.day::date + 1') }} as ended_at
    from bound as b
    cross join lateral generate_series(
        greatest(
            b.first_changed_day, b.horizon,
            (select {{ local_day('min(s.valid_from)') }} from {{ ref('int_documents__state') }} as s)
        )::timestamp,
        b.last_day::timestamp, interval '1 day'
    ) as d (day)
),

stood as (
    select
        d.day,
        d.ended_at,
        s.kind,
        s.unit_code,
        s.is_finished,
        s.finished_at,
        {{ document_flags('s', 'd.ended_at') }}
    from day as d
    inner join {{ ref('int_documents__state') }} as s
        on d.ended_at > s.valid_from and d.ended_at <= s.valid_to
    where s.is_counted
),

counted as (
    select
        day,
        kind,
        unit_code,
        count(*) as total_count,
        count(*) filter (where not is_finished) as open_count,
        count(*) filter (where is_overdue) as overdue_count,
        count(*) filter (where is_near_due) as near_due_count,
        count(*) filter (where is_overdue_finished) as overdue_finished_count,
        count(*) filter (where is_in_time_open) as in_time_open_count,
        count(*) filter (where is_finished_in_time) as finished_in_time_count,
        count(*) filter (where is_without_due) as without_due_count,
        count(*) filter (where is_finished and finished_at >= {{ day_start('day') }} and finished_at < ended_at)
            as finished_that_day_count
    from stood
    group by day, kind, unit_code
),

-- A unit that a correction has emptied keeps its row, with zeros.
slot as (
    select day, kind, unit_code from counted
    {% if is_increment() %}
    union
    select k.day, k.kind, k.unit_code from {{ this }} as k
    inner join day as d on k.day = d.day
    {% endif %}
)

select
    t.day,
    t.kind,
    t.unit_code,
    {% for name in [
        'total', 'open', 'overdue', 'near_due', 'overdue_finished', 'in_time_open', 'finished_in_time', 'without_due',
        'finished_that_day'
    ] %}
    coalesce(c.{{ name }}_count, 0) as {{ name }}_count,
    {% endfor %}
    {{ run_seq() }} as run_seq
from slot as t
left join counted as c on t.day = c.day and t.kind = c.kind and t.unit_code = c.unit_code
