-- Closed days: what was true at the end of each, by unit, field and channel.
select
    f.as_of_day,
    f.unit_code,
    coalesce(u.unit_name, 'Chưa rõ đơn vị') as unit_name,
    coalesce(u.unit_kind_vi, 'Chưa rõ') as unit_kind_vi,
    f.field_code,
    coalesce(l.field_name, f.field_code) as field_name,
    f.channel_code,
    coalesce(c.channel_name_vi, 'Kênh ' || f.channel_code) as channel_name_vi,
    f.received_count,
    f.received_late_count,
    f.carried_over_count,
    f.processed_count,
    f.processed_before_due_count,
    f.processed_on_due_count,
    f.processed_overdue_count,
    f.returned_count,
    f.in_process_count,
    f.in_process_on_time_count,
    f.in_process_overdue_count,
    f.near_due_count,
    f.supplement_count,
    f.stopped_count,
    f.entered_count,
    f.left_count,
    f.in_process_first_count,
    f.in_process_overdue_first_count,
    f.processed_first_count,
    f.restated_count
from {{ ref('fct_public_service_daily') }} as f
left join {{ ref('dim_unit') }} as u
    on f.unit_code = u.unit_code and f.as_of_day >= u.valid_from and f.as_of_day < u.valid_to
left join {{ ref('dim_public_service_field') }} as l on f.field_code = l.field_code
left join {{ ref('public_service_channel') }} as c on f.channel_code = c.channel_code
