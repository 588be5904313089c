{{ config(
    unique_key=['calendar_code', 'day'],
    indexes=keyed(['calendar_code', 'day']),
    meta={'reads': ['published']},
    incremental_strategy='refill'
) }}
-- The editable calendars by which documents leave the registry, read anew each time and counted once: a day that is made
-- free reaches every document that is known. Same answers as ref.add_work_days and ref.work_days_between; '' is every day.
with calendar as (
    select distinct calendar_code from {{ ref('document_urgency') }}
),

day as (
    select d.day::date as day
    from (select min(registered_at) as since from {{ ref('fct_documents_current') }}) as f
    cross join lateral generate_series(
        ({{ local_day('f.since') }} - 1)::timestamp, ({{ local_day('now()') }} + 366)::timestamp, interval '1 day'
    ) as d (day)
),

marked as (
    select
        coalesce(c.calendar_code, '') as calendar_code,
        d.day,
        c.calendar_code is null or ref.is_work_day(c.calendar_code, d.day) as is_work_day
    from calendar as c
    cross join day as d
)

select
    calendar_code,
    day,
    is_work_day,
    count(*) filter (where is_work_day) over (partition by calendar_code order by day)::integer as work_day_no,
    {{ run_seq() }} as run_seq
from marked
