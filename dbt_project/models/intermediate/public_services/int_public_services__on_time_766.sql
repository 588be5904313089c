{{ config(
    unique_key=['period_month', 'dossier_code'],
    indexes=keyed(['period_month', 'dossier_code']),
    meta={'reads': ['published']},
    incremental_strategy='refill'
) }}
-- On time by QĐ 766/QĐ-TTg, 2.1: each dossier that was received or processed in a month, judged by what was true at the end
-- of that month (now, in the running one). One supplement request: the citizen's time is taken off; more than one: overdue;
-- not finished: the period's end counts; no appointment: the procedure's longest time.
with month as (
    select
        m.month::date as period_month,
        {{ day_start('m.month::date') }} as starts_at,
        least({{ day_start("(m.month + interval '1 month')::date") }}, now()) as ends_at,
        -- The newest closed day, of which the other measure knows the unit.
        least((m.month + interval '1 month')::date, {{ today() }}) - 1 as last_day
    from {{ ref('public_service_setting') }} as g
    cross join lateral generate_series(
        date_trunc('month', ({{ today() }} - g.restated_days)::timestamp), {{ today() }}::timestamp, interval '1 month'
    ) as m (month)
    where {{ today() }} >= g.effective_from and {{ today() }} < g.effective_to
),

followed as (
    select
        s.*,
        coalesce(lag(s.group_code) over life, '') as group_before,
        lag(s.status_code) over life as status_before
    from {{ ref('fct_public_service_status') }} as s
    window life as (partition by s.dossier_code order by s.state_no)
),

state as (
    select
        f.*,
        -- Since when it has had this status, whatever else has changed meanwhile.
        max(f.valid_from) filter (where f.status_before is distinct from f.status_code) over (
            partition by f.dossier_code order by f.state_no
        ) as status_from
    from followed as f
),

judged as (
    select
        m.period_month,
        m.ends_at as period_end,
        m.last_day,
        s.dossier_code,
        -- As at the end of the period.
        (array_agg(s.source_unit_code order by s.state_no desc))[1] as source_unit_code,
        (array_agg(s.field_code order by s.state_no desc))[1] as field_code,
        (array_agg(s.procedure_code order by s.state_no desc))[1] as procedure_code,
        (array_agg(s.is_counted order by s.state_no desc))[1] as is_counted,
        (array_agg(s.is_finished order by s.state_no desc))[1] as is_finished,
        (array_agg(s.group_code order by s.state_no desc))[1] as group_code,
        (array_agg(s.status_code order by s.state_no desc))[1] as status_code,
        (array_agg(s.status_from order by s.state_no desc))[1] as status_from,
        (array_agg(s.received_at order by s.state_no desc))[1] as received_at,
        -- The first appointment that was given by then: what is said later moves no closed month.
        (array_agg(s.due_at order by s.state_no) filter (where s.due_at is not null))[1] as due_said_at,
        max(s.valid_from) filter (
            where (s.is_finished or s.group_code in ('tra_lai', 'khong_tiep_nhan')) and s.group_before <> s.group_code
        ) as ended_at,
        count(*) filter (where s.status_code = 5 and s.status_before is distinct from 5) as supplement_count,
        sum(least(coalesce(s.valid_to, m.ends_at), m.ends_at) - s.valid_from) filter (
            where s.status_code = 5 and s.valid_to <= m.ends_at
        ) as citizen_time
    from month as m
    inner join state as s on m.ends_at > s.valid_from
    where
        s.dossier_code in (
            select x.dossier_code from state as x
            where
                (x.received_at >= m.starts_at and x.received_at < m.ends_at)
                or (
                    x.is_finished and x.group_before <> x.group_code
                    and x.valid_from >= m.starts_at and x.valid_from < m.ends_at
                )
        )
    group by m.period_month, m.ends_at, m.last_day, s.dossier_code
),

due as (
    select
        j.*,
        coalesce(u.unit_code, 'CHUA-RO') as unit_code,
        coalesce(
            j.due_said_at,
            (
                select (l.day + time '17:00') at time zone '{{ var("time_zone") }}'
                from {{ ref('int_public_services__work_day') }} as l
                where l.is_work_day and l.work_day_no = p.max_work_days + case
                    when
                        not w.is_work_day
                        or (j.received_at at time zone '{{ var("time_zone") }}')::time >= g.late_receipt_after
                        then w.work_day_no + 1
                    else w.work_day_no
                end
            )
        ) as due_at,
        case
            when j.is_finished or j.group_code = 'tra_lai' then j.ended_at
            -- One request, still open: the clock stood still when it was made.
            when j.status_code = 5 and j.supplement_count = 1 then j.status_from
            else j.period_end
        end - case when j.status_code = 5 then interval '0' else coalesce(j.citizen_time, interval '0') end as measured_at
    from judged as j
    left join {{ ref('int_public_services__unit') }} as u
        on j.source_unit_code = u.source_unit_code and j.last_day >= u.valid_from and j.last_day < u.valid_to
    left join {{ ref('public_service_procedure') }} as p
        on
            j.procedure_code = p.procedure_code
            and {{ local_day('j.received_at') }} >= p.effective_from
            and {{ local_day('j.received_at') }} < p.effective_to
    left join {{ ref('int_public_services__work_day') }} as w on {{ local_day('j.received_at') }} = w.day
    left join {{ ref('public_service_setting') }} as g
        on {{ local_day('j.received_at') }} >= g.effective_from and {{ local_day('j.received_at') }} < g.effective_to
    where j.is_counted
)

select
    period_month,
    dossier_code,
    unit_code,
    field_code,
    received_at,
    case when is_finished then ended_at end as processed_at,
    supplement_count,
    due_at,
    measured_at,
    case
        when supplement_count > 1 then false
        when due_at is null then null
        else measured_at <= due_at
    end as is_on_time,
    {{ run_seq() }} as run_seq
from due
