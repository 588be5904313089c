-- What the source says last of its own totals of a unit and a day; periods longer than a day are not compared.
select
    r.source_unit_code,
    r.period_from as day,
    r.received_count,
    r.carried_over_count,
    r.processed_count,
    r.processed_before_due_count,
    r.processed_on_due_count,
    r.processed_overdue_count,
    r.in_process_count,
    r.in_process_on_time_count,
    r.in_process_overdue_count,
    r.returned_count,
    r._loaded_at as loaded_at
from ({{ newest_record(source('raw_public_services', 'source_total'), ['total_code']) }}) as r
where r.period_from = r.period_to
