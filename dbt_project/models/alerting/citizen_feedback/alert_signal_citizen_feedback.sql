{{ config(
    post_hook=[
        "{{ upsert_signals() }}",
        "{{ upsert_entities('feedback_unit_field', \"(select distinct on (entity_id) * from \" ~ this ~ \" where entity_type = 'feedback_unit_field') as e\", 'entity_id', 'entity_name', 'unit_code') }}",
        "{{ upsert_entities('feedback_place_field', \"(select distinct on (entity_id) * from \" ~ this ~ \" where entity_type = 'feedback_place_field') as e\", 'entity_id', 'entity_name', 'unit_code') }}"
    ]
) }}
-- Counts as of the newest reading. A series that was above zero the last time is told when it is back at zero; the others
-- are not mentioned. What no unit answers for goes to the office that owns the domain.
with reading as (
    select max(least(changed_at, loaded_at)) as as_of, min(begun_at) as first_at
    from {{ ref('int_citizen_feedback__report_version') }}
),

office as (
    select owner as owner_code from {{ source('ref', 'domain') }}
    where domain = 'citizen_feedback'
),

open_report as (
    select
        f.*,
        coalesce(f.unit_code, o.owner_code) as owner_unit,
        coalesce(f.unit_code, '?') || ':' || coalesce(f.field_code, '?') as entity_id,
        r.as_of,
        n.days_left,
        n.share_left
    from {{ ref('fct_citizen_feedback_report') }} as f
    cross join reading as r
    cross join office as o
    left join {{ ref('feedback_near_due') }} as n
        on r.as_of >= {{ day_start('n.effective_from') }} and r.as_of < {{ day_start('n.effective_to') }}
    where f.is_open
),

by_unit as (
    select
        entity_id,
        owner_unit as unit_code,
        as_of as period_end,
        count(*) filter (where due_at < as_of) as overdue,
        count(*) filter (
            where due_at >= as_of and (
                due_at - as_of <= days_left * interval '1 day' or due_at - as_of <= share_left * (due_at - begun_at)
            )
        ) as near_due,
        count(*) filter (where reopen_count > 0) as reopened,
        max(transfer_count) as transferred
    from open_report
    group by entity_id, owner_unit, as_of
),

-- New reports of a commune and field in the window, against their number in an equally long stretch of the time before.
window_of as (
    select
        s.*, r.as_of, r.as_of - s.window_hours * interval '1 hour' as from_at,
        greatest(r.as_of - s.window_hours * interval '1 hour' - s.baseline_days * interval '1 day', r.first_at) as usual_from
    from {{ ref('feedback_surge') }} as s
    cross join reading as r
    where r.as_of >= {{ day_start('s.effective_from') }} and r.as_of < {{ day_start('s.effective_to') }}
),

by_place as (
    select
        f.commune_code || ':' || f.field_code as entity_id,
        f.commune_code as unit_code,
        w.as_of as period_end,
        count(*) filter (where f.begun_at > w.from_at) as new_count,
        w.min_count,
        count(*) filter (where f.begun_at <= w.from_at)
        / nullif(extract(epoch from w.from_at - w.usual_from) / (w.window_hours * 3600), 0) as usual_count,
        w.min_usual_count
    from {{ ref('fct_citizen_feedback_report') }} as f
    cross join window_of as w
    where f.begun_at > w.usual_from and f.begun_at <= w.as_of and f.commune_code is not null and f.field_code is not null
    group by f.commune_code, f.field_code, w.as_of, w.min_count, w.from_at, w.usual_from, w.window_hours, w.min_usual_count
),

counted as (
    select 'citizen_feedback.overdue' as signal_code, 'feedback_unit_field' as entity_type, entity_id, unit_code, period_end,
        overdue::numeric as value
    from by_unit
    union all
    select 'citizen_feedback.near_due', 'feedback_unit_field', entity_id, unit_code, period_end, near_due from by_unit
    union all
    select 'citizen_feedback.reopened', 'feedback_unit_field', entity_id, unit_code, period_end, reopened from by_unit
    union all
    select 'citizen_feedback.transferred', 'feedback_unit_field', entity_id, unit_code, period_end, transferred from by_unit
    union all
    select 'citizen_feedback.surge', 'feedback_place_field', entity_id, unit_code, period_end,
        case
            when new_count >= min_count then round((new_count / greatest(usual_count, min_usual_count))::numeric, 2)
            else 0
        end
    from by_place
),

-- The series that stood above zero when they were told last.
standing as (
    select k.signal_code, k.entity_type, k.entity_id, k.unit_code, r.as_of as period_end, 0::numeric as value
    from (
        select distinct on (signal_code, entity_type, entity_id) * from {{ source('signals', 'signal') }}
        where entity_type in ('feedback_unit_field', 'feedback_place_field')
        order by signal_code, entity_type, entity_id, period_end desc
    ) as k
    cross join reading as r
    where k.value > 0 and k.period_end < r.as_of
),

told as (
    select * from counted
    where value > 0
    union all
    select s.* from standing as s
    where not exists (
        select 1 from counted as c
        where c.value > 0 and c.signal_code = s.signal_code and c.entity_type = s.entity_type and c.entity_id = s.entity_id
    )
),

named as (
    select
        t.*,
        coalesce(u.unit_name, 'Chưa rõ đơn vị') || ' – ' || coalesce(d.field_name_vi, 'Chưa rõ lĩnh vực') as entity_name
    from told as t
    left join {{ ref('dim_unit_today') }} as u on split_part(t.entity_id, ':', 1) = u.unit_code
    left join lateral {{
        meaning_on(
            ref('feedback_field'), 'field_code', ['field_name_vi'], "split_part(t.entity_id, ':', 2)",
            local_day('t.period_end')
        )
    }} as d on true
)

select signal_code, entity_type, entity_id, unit_code, period_end, value, 'ok' as quality, entity_name from named
union all
-- Words of the source that no table knows, of reports that are open: for whoever keeps the tables.
select
    'citizen_feedback.unknown_values', 'domain', 'citizen_feedback', o.owner_code, r.as_of,
    count(*) filter (
        where f.is_open and not (f.is_status_known and f.is_field_known and f.is_unit_known and f.is_commune_known)
    ),
    'ok', 'Phản hồi của người dân'
from {{ ref('fct_citizen_feedback_report') }} as f
cross join reading as r
cross join office as o
group by o.owner_code, r.as_of
