-- Invariant of every day of the last week: the groups are exclusive, and their sum is the total.
select day, kind, unit_code
from {{ ref('fct_documents_daily') }}
where
    day >= {{ today() }} - 7
    and total_count <> overdue_count + near_due_count + overdue_finished_count + in_time_open_count
        + finished_in_time_count + without_due_count
