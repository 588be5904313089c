-- The books balance: every report is received once, and what stands open at the newest reading is what the reports say.
select 'received' as what, d.booked, r.counted
from (select sum(received_count) as booked from {{ ref('fct_citizen_feedback_daily') }}) as d
cross join (select count(*) as counted from {{ ref('fct_citizen_feedback_report') }}) as r
where d.booked is distinct from r.counted
union all
select 'open' as what, d.booked, r.counted
from (
    select coalesce(sum(open_count), 0) as booked from {{ ref('fct_citizen_feedback_daily') }}
    where day = (
        select {{ local_day('max(least(changed_at, loaded_at))') }} from {{ ref('int_citizen_feedback__report_version') }}
    )
) as d
cross join (
    select count(*) as counted from {{ ref('fct_citizen_feedback_report') }}
    where is_open
) as r
where d.booked is distinct from r.counted
