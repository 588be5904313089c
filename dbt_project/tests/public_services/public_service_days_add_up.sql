-- What was there plus what came is what went plus what is left, in every group of every recent closed day; and each total
-- is the sum of its parts.
select as_of_day, unit_code, field_code, channel_code
from {{ ref('fct_public_service_daily') }}
where
    as_of_day >= {{ today() }} - 35
    and (
        carried_over_count + received_count + entered_count
        <> processed_count + returned_count + in_process_count + supplement_count + stopped_count + left_count
        or processed_count <> processed_before_due_count + processed_on_due_count + processed_overdue_count
        or in_process_count <> in_process_on_time_count + in_process_overdue_count
    )
