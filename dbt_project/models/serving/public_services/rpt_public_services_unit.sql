-- Each unit now: judged against the clock when it is asked, so that a dossier becomes overdue without a load. Closed days of
-- a unit that has gone count with its heirs, by their shares; what is open is whole, and whose it is today.
with judged as (
    select
        d.*,
        {{ local_day('d.due_at') }} < {{ today() }} as is_past_due,
        {{ local_day('d.due_at') }} > {{ today() }}
        and d.due_at - make_interval(hours => s.near_due_hours) <= now() as is_near_due
    from {{ ref('fct_public_service_dossier') }} as d
    left join {{ ref('public_service_setting') }} as s
        on {{ today() }} >= s.effective_from and {{ today() }} < s.effective_to
    where d.is_counted
),

counted as (
    select
        unit_code,
        count(*) filter (where is_open) as open_count,
        count(*) filter (where is_running) as in_process_count,
        count(*) filter (where is_running and not coalesce(is_past_due, false)) as in_process_on_time_count,
        count(*) filter (where is_running and is_past_due) as in_process_overdue_count,
        count(*) filter (where is_running and is_near_due) as near_due_count,
        count(*) filter (where group_code = 'bo_sung') as supplement_count,
        count(*) filter (where group_code = 'dung_xu_ly') as stopped_count,
        count(*) filter (where {{ local_day('received_at') }} = {{ today() }}) as received_today_count,
        count(*) filter (where is_finished and {{ local_day('ended_at') }} = {{ today() }}) as processed_today_count
    from judged
    group by unit_code
),

month as (
    select
        coalesce(b.unit_code, f.unit_code) as unit_code,
        sum(f.received_count * coalesce(b.weight, 1)) as received_count,
        sum(f.received_count * coalesce(b.weight, 1)) filter (where f.channel_code = 2) as received_online_count,
        sum(f.processed_count * coalesce(b.weight, 1)) as processed_count,
        sum(f.processed_overdue_count * coalesce(b.weight, 1)) as processed_overdue_count,
        sum(f.returned_count * coalesce(b.weight, 1)) as returned_count
    from {{ ref('fct_public_service_daily') }} as f
    left join {{ ref('bridge_unit') }} as b on f.unit_code = b.old_code
    where f.as_of_day >= {{ today() }} - 30
    group by coalesce(b.unit_code, f.unit_code)
)

select
    coalesce(c.unit_code, m.unit_code) as unit_code,
    coalesce(u.unit_name, 'Chưa rõ đơn vị') as unit_name,
    coalesce(u.unit_kind_vi, 'Chưa rõ') as unit_kind_vi,
    u.longitude,
    u.latitude,
    coalesce(c.open_count, 0) as open_count,
    coalesce(c.in_process_count, 0) as in_process_count,
    coalesce(c.in_process_on_time_count, 0) as in_process_on_time_count,
    coalesce(c.in_process_overdue_count, 0) as in_process_overdue_count,
    coalesce(c.near_due_count, 0) as near_due_count,
    coalesce(c.supplement_count, 0) as supplement_count,
    coalesce(c.stopped_count, 0) as stopped_count,
    coalesce(c.received_today_count, 0) as received_today_count,
    coalesce(c.processed_today_count, 0) as processed_today_count,
    coalesce(m.received_count, 0) as received_30d_count,
    coalesce(m.received_online_count, 0) as received_online_30d_count,
    coalesce(m.processed_count, 0) as processed_30d_count,
    coalesce(m.processed_overdue_count, 0) as processed_overdue_30d_count,
    coalesce(m.returned_count, 0) as returned_30d_count,
    t.target_pct as online_target_pct,
    t.citation as online_target_citation
from counted as c
full outer join month as m on c.unit_code = m.unit_code
left join {{ ref('dim_unit_today') }} as u on coalesce(c.unit_code, m.unit_code) = u.unit_code
left join {{ ref('public_service_target') }} as t
    on
        t.measure_code = 'online'
        and t.unit_level = case when u.unit_kind in ('ward', 'commune') then 'commune' else 'department' end
        and {{ today() }} >= t.effective_from
        and {{ today() }} < t.effective_to
