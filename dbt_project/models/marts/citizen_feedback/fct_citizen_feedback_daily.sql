{{ config(incremental_strategy='refill', indexes=[{'columns': ['day']}]) }}
-- What happened on each civil day, and what stood open at its end (of the day that still runs: at the newest reading), by
-- unit, field, commune and channel. A closed day is what it was; see int_citizen_feedback__report_version. Nobody handles a
-- report yet when it is received: it counts as received by the unit that was given it first.
with reading as (
    select max(least(changed_at, loaded_at)) as as_of from {{ ref('int_citizen_feedback__report_version') }}
),

given as (
    select distinct on (report_code) report_code, unit_code from {{ ref('int_citizen_feedback__report_state') }}
    where unit_key is not null
    order by report_code, state_no
),

happened as (
    select
        s.*,
        {{ local_day('s.valid_from') }} as day,
        case when s.is_received then g.unit_code else s.unit_code end as counting_unit_code
    from {{ ref('int_citizen_feedback__report_state') }} as s
    left join given as g on s.report_code = g.report_code
    where s.is_received or s.is_answered or s.is_rejected or s.is_duplicate or s.is_reopened or s.is_transferred
),

event as (
    select
        day, counting_unit_code as unit_code, field_code, commune_code, channel_code,
        count(*) filter (where is_received) as received_count,
        count(*) filter (where is_answered) as answered_count,
        count(*) filter (where is_answered and happened_at <= due_at) as answered_in_time_count,
        count(*) filter (where is_rejected) as rejected_count,
        count(*) filter (where is_duplicate) as duplicate_count,
        count(*) filter (where is_reopened) as reopened_count,
        count(*) filter (where is_transferred) as transferred_count
    from happened
    group by day, counting_unit_code, field_code, commune_code, channel_code
),

stock as (
    select
        d.day, s.unit_code, s.field_code, s.commune_code, s.channel_code,
        count(*) as open_count,
        count(*) filter (where s.due_at < e.end_at) as overdue_count,
        count(*) filter (
            where s.due_at >= e.end_at and (
                s.due_at - e.end_at <= n.days_left * interval '1 day'
                or s.due_at - e.end_at <= n.share_left * (s.due_at - s.begun_at)
            )
        ) as near_due_count
    from {{ ref('int_citizen_feedback__report_state') }} as s
    cross join reading as r
    cross join lateral (
        select g.day::date as day
        from generate_series(
            {{ local_day('s.valid_from') }}::timestamp,
            {{ local_day('least(s.valid_to, r.as_of)') }}::timestamp,
            interval '1 day'
        ) as g (day)
    ) as d
    cross join lateral (select least({{ day_start('d.day + 1') }}, r.as_of + interval '1 microsecond') as end_at) as e
    left join {{ ref('feedback_near_due') }} as n on d.day >= n.effective_from and d.day < n.effective_to
    where
        s.is_open
        and s.valid_from < e.end_at
        and s.valid_to >= e.end_at
    group by d.day, s.unit_code, s.field_code, s.commune_code, s.channel_code
),

counted as (
    select
        day, unit_code, field_code, commune_code, channel_code,
        received_count, answered_count, answered_in_time_count, rejected_count, duplicate_count, reopened_count,
        transferred_count,
        0 as open_count, 0 as overdue_count, 0 as near_due_count
    from event
    union all
    select
        day, unit_code, field_code, commune_code, channel_code,
        0, 0, 0, 0, 0, 0, 0,
        open_count, overdue_count, near_due_count
    from stock
)

select
    b.day,
    b.unit_code,
    b.field_code,
    b.commune_code,
    b.channel_code,
    sum(b.received_count)::bigint as received_count,
    sum(b.answered_count)::bigint as answered_count,
    sum(b.answered_in_time_count)::bigint as answered_in_time_count,
    sum(b.rejected_count)::bigint as rejected_count,
    sum(b.duplicate_count)::bigint as duplicate_count,
    sum(b.reopened_count)::bigint as reopened_count,
    sum(b.transferred_count)::bigint as transferred_count,
    sum(b.answered_count - b.answered_in_time_count)::bigint as answered_late_count,
    sum(b.open_count)::bigint as open_count,
    sum(b.overdue_count)::bigint as overdue_count,
    sum(b.near_due_count)::bigint as near_due_count,
    ({{ day_start('b.day + 1') }} <= r.as_of) as is_closed
from counted as b
cross join reading as r
group by b.day, b.unit_code, b.field_code, b.commune_code, b.channel_code, r.as_of
