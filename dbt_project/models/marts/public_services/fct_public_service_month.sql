{{ config(
    unique_key=['period_month', 'unit_code'],
    indexes=keyed(['period_month', 'unit_code']),
    meta={'reads': ['published']},
    incremental_strategy='refill'
) }}
-- Both measures of on-time per unit and month, side by side: the one-stop system's operational one (from the closed days),
-- and that of QĐ 766/QĐ-TTg 2.1. They differ by definition; neither replaces the other.
with daily as (
    select
        date_trunc('month', as_of_day)::date as period_month,
        unit_code,
        sum(received_count)::bigint as received_count,
        sum(received_count) filter (where channel_code = 2)::bigint as received_online_count,
        sum(processed_count)::bigint as processed_count,
        sum(processed_overdue_count)::bigint as processed_overdue_count,
        sum(returned_count)::bigint as returned_count,
        max(as_of_day) as last_day
    from {{ ref('fct_public_service_daily') }}
    group by date_trunc('month', as_of_day)::date, unit_code
),

closing as (
    select
        d.period_month,
        f.unit_code,
        sum(f.in_process_count)::bigint as in_process_count,
        sum(f.in_process_overdue_count)::bigint as in_process_overdue_count,
        sum(f.supplement_count)::bigint as supplement_count
    from (
        select period_month, max(last_day) as last_day from daily
        group by period_month
    ) as d
    inner join {{ ref('fct_public_service_daily') }} as f on d.last_day = f.as_of_day
    group by d.period_month, f.unit_code
),

by_766 as (
    select
        j.period_month,
        j.unit_code,
        count(*) filter (where j.is_on_time is not null) as base_766_count,
        count(*) filter (where j.is_on_time) as on_time_766_count,
        count(*) filter (where j.is_on_time is null) as unjudged_766_count,
        sum(b.work_day_no - a.work_day_no) filter (
            where {{ local_day('j.processed_at') }} >= j.period_month
        ) as work_day_sum,
        count(b.work_day_no - a.work_day_no) filter (
            where {{ local_day('j.processed_at') }} >= j.period_month
        ) as work_day_base_count
    from {{ ref('int_public_services__on_time_766') }} as j
    left join {{ ref('int_public_services__work_day') }} as a on {{ local_day('j.received_at') }} = a.day
    left join {{ ref('int_public_services__work_day') }} as b on {{ local_day('j.processed_at') }} = b.day
    group by j.period_month, j.unit_code
)

select
    d.period_month,
    d.unit_code,
    d.received_count,
    coalesce(d.received_online_count, 0) as received_online_count,
    d.processed_count,
    d.processed_overdue_count,
    d.returned_count,
    coalesce(c.in_process_count, 0) as in_process_count,
    coalesce(c.in_process_overdue_count, 0) as in_process_overdue_count,
    coalesce(c.supplement_count, 0) as supplement_count,
    d.processed_count - d.processed_overdue_count + d.returned_count + coalesce(c.in_process_count, 0)
    - coalesce(c.in_process_overdue_count, 0) + coalesce(c.supplement_count, 0) as on_time_operational_count,
    d.processed_count + d.returned_count + coalesce(c.in_process_count, 0) + coalesce(c.supplement_count, 0)
    as base_operational_count,
    coalesce(s.on_time_766_count, 0) as on_time_766_count,
    coalesce(s.base_766_count, 0) as base_766_count,
    coalesce(s.unjudged_766_count, 0) as unjudged_766_count,
    -- Working days from receipt to end, of so many dossiers: parts of a mean, which units that merge share.
    coalesce(s.work_day_sum, 0)::bigint as work_day_sum,
    coalesce(s.work_day_base_count, 0) as work_day_base_count,
    {{ run_seq() }} as run_seq
from daily as d
left join closing as c on d.period_month = c.period_month and d.unit_code = c.unit_code
left join by_766 as s on d.period_month = s.period_month and d.unit_code = s.unit_code
