{{ config(
    unique_key=['day'],
    indexes=keyed(['day']),
    meta={'reads': ['published']},
    incremental_strategy='refill'
) }}
-- The editable calendar, counted once: working days between two days are a difference of `work_day_no`, so that a report
-- over many dossiers does not ask the calendar for each of them. Same answers as ref.work_days_between.
select
    d.day::date as day,
    ref.is_work_day(g.calendar_code, d.day::date) as is_work_day,
    count(*) filter (where ref.is_work_day(g.calendar_code, d.day::date)) over (order by d.day)::integer as work_day_no,
    {{ run_seq() }} as run_seq
from {{ ref('public_service_setting') }} as g
cross join lateral generate_series(
    ({{ today() }} - g.restated_days - 60)::timestamp, ({{ today() }} + 366)::timestamp, interval '1 day'
) as d (day)
where {{ today() }} >= g.effective_from and {{ today() }} < g.effective_to
