{% set figures = [
    'received_count', 'received_late_count', 'carried_over_count', 'entered_count', 'processed_count',
    'processed_before_due_count', 'processed_on_due_count', 'processed_overdue_count', 'returned_count',
    'in_process_count', 'in_process_on_time_count', 'in_process_overdue_count', 'near_due_count', 'supplement_count',
    'stopped_count', 'left_count',
] %}
{{ config(
    unique_key=['as_of_day', 'unit_code', 'field_code', 'channel_code'],
    indexes=keyed(['as_of_day', 'unit_code', 'field_code', 'channel_code'], [['unit_code', 'as_of_day']]),
    meta={'reads': ['int_public_services__status']}
) }}
-- Figures of each closed day from what was true on that day by the source's own times. A status that changes later changes
-- no day before its change; only news about the past does (a step entered late), and then the row says how often it was
-- restated and what was published first. The unit is the one that it was on that day; who took over from it later is
-- applied where the figures are shown.
with span as (
    select
        {% if is_increment() %}
            least(
                (select max(t.as_of_day) + 1 from {{ this }} as t),
                (
                    select {{ local_day('min(s.affected_from)') }} from {{ ref('int_public_services__status') }} as s
                    where s.run_seq > {{ since('int_public_services__status') }}
                )
            )
        {% else %}
            (select {{ local_day('min(s.valid_from)') }} from {{ ref('int_public_services__status') }} as s)
        {% endif %}
        as first_day,
        {{ today() }} - 1 as last_day,
        g.near_due_hours,
        g.restated_days
    from {{ ref('public_service_setting') }} as g
    where {{ today() }} >= g.effective_from and {{ today() }} < g.effective_to
),

day as (
    select
        d.day::date as day,
        {{ day_start('d.day::date') }} as starts_at,
        {{ day_start('d.day::date + 1') }} as ends_at,
        s.near_due_hours
    from span as s
    cross join lateral generate_series(
        greatest(s.first_day, {{ today() }} - s.restated_days)::timestamp, s.last_day::timestamp, interval '1 day'
    ) as d (day)
),

state as (
    select * from {{ ref('fct_public_service_status') }}
    where is_counted
),

-- What it was when the day began, where that matters: still open, or changed during the day.
opening as (
    select
        d.day,
        s.dossier_code,
        coalesce(u.unit_code, 'CHUA-RO') as unit_code,
        s.field_code,
        s.channel_code,
        s.is_open,
        s.is_finished,
        s.group_code
    from day as d
    inner join state as s
        on
            d.starts_at > s.valid_from
            and (s.valid_to is null or d.starts_at <= s.valid_to)
            and (s.is_open or d.ends_at > s.valid_to)
            and d.starts_at > s.received_at
    left join {{ ref('int_public_services__unit') }} as u
        on s.source_unit_code = u.source_unit_code and d.day >= u.valid_from and d.day < u.valid_to
),

closing as (
    select
        d.day,
        s.dossier_code,
        coalesce(u.unit_code, 'CHUA-RO') as unit_code,
        s.field_code,
        s.channel_code,
        s.is_open,
        s.is_running,
        s.is_finished,
        s.group_code,
        {{ local_day('s.received_at') }} as received_on,
        coalesce(s.received_at > s.receipt_due_at, false) as is_received_late,
        {{ local_day('s.due_at') }} as due_on,
        s.due_at - make_interval(hours => d.near_due_hours) <= d.ends_at as is_within_near
    from day as d
    inner join state as s
        on
            d.ends_at > s.valid_from
            and (s.valid_to is null or d.ends_at <= s.valid_to)
            and (s.is_open or d.starts_at <= s.valid_from)
            and d.ends_at > s.received_at
    left join {{ ref('int_public_services__unit') }} as u
        on s.source_unit_code = u.source_unit_code and d.day >= u.valid_from and d.day < u.valid_to
),

-- One line per dossier and group that it touches; a dossier that changes its unit touches two.
line as (
    select
        coalesce(c.day, o.day) as day,
        coalesce(c.unit_code, o.unit_code) as unit_code,
        coalesce(c.field_code, o.field_code) as field_code,
        coalesce(c.channel_code, o.channel_code) as channel_code,
        coalesce(o.is_open, false) as was_open,
        c.dossier_code is not null as is_there,
        c.received_on = c.day and w.dossier_code is null as is_received,
        c.is_received_late,
        c.is_finished and not coalesce(w.is_finished, false) as is_processed,
        c.group_code = 'tra_lai' and coalesce(w.group_code, '') <> 'tra_lai' as is_returned,
        c.is_running,
        c.group_code,
        c.is_open,
        c.due_on,
        c.is_within_near
    from closing as c
    full outer join opening as o
        on
            c.day = o.day
            and c.dossier_code = o.dossier_code
            and c.unit_code = o.unit_code
            and c.field_code = o.field_code
            and c.channel_code = o.channel_code
    -- The same dossier wherever it was when the day began.
    left join opening as w on c.day = w.day and c.dossier_code = w.dossier_code
),

counted as (
    select
        day as as_of_day,
        unit_code,
        field_code,
        channel_code,
        count(*) filter (where is_received) as received_count,
        count(*) filter (where is_received and is_received_late) as received_late_count,
        count(*) filter (where was_open) as carried_over_count,
        count(*) filter (
            where is_there and not was_open and not coalesce(is_received, false) and (is_open or is_processed or is_returned)
        ) as entered_count,
        count(*) filter (where is_processed) as processed_count,
        count(*) filter (where is_processed and day < due_on) as processed_before_due_count,
        -- Without an appointment it is on time: the one-stop system's own rule.
        count(*) filter (where is_processed and (day = due_on or due_on is null)) as processed_on_due_count,
        count(*) filter (where is_processed and day > due_on) as processed_overdue_count,
        count(*) filter (where is_returned) as returned_count,
        count(*) filter (where is_running) as in_process_count,
        count(*) filter (where is_running and (due_on >= day or due_on is null)) as in_process_on_time_count,
        count(*) filter (where is_running and due_on < day) as in_process_overdue_count,
        count(*) filter (where is_running and due_on > day and is_within_near) as near_due_count,
        count(*) filter (where group_code = 'bo_sung') as supplement_count,
        count(*) filter (where group_code = 'dung_xu_ly') as stopped_count,
        count(*) filter (
            where was_open and not coalesce(is_open, false) and not coalesce(is_processed, false)
                and not coalesce(is_returned, false)
        ) as left_count
    from line
    group by day, unit_code, field_code, channel_code
),

complete as (
    select
        c.as_of_day,
        c.unit_code,
        c.field_code,
        c.channel_code,
        {% for figure in figures %}c.{{ figure }}{{ ',' if not loop.last }}
        {% endfor %}
    from counted as c
    {% if is_increment() %}
        union all
        -- A group that has nothing left on a day that is counted again.
        select t.as_of_day, t.unit_code, t.field_code, t.channel_code, {{ (['0'] * (figures | length)) | join(', ') }}
        from {{ this }} as t
        inner join day as d on t.as_of_day = d.day
        where not exists (
            select 1 from counted as c
            where
                t.as_of_day = c.as_of_day
                and t.unit_code = c.unit_code
                and t.field_code = c.field_code
                and t.channel_code = c.channel_code
        )
    {% endif %}
)

select
    c.*,
    {% if is_increment() %}
        coalesce(t.in_process_first_count, case when l.last_day >= c.as_of_day then 0 else c.in_process_count end)
        as in_process_first_count,
        coalesce(
            t.in_process_overdue_first_count, case when l.last_day >= c.as_of_day then 0 else c.in_process_overdue_count end
        ) as in_process_overdue_first_count,
        coalesce(t.processed_first_count, case when l.last_day >= c.as_of_day then 0 else c.processed_count end)
        as processed_first_count,
        coalesce(t.restated_count, 0)::bigint + case
            when t.as_of_day is null and l.last_day >= c.as_of_day then 1
            when t.as_of_day is null then 0
            when
                row(
                    {% for figure in figures %}c.{{ figure }}{{ ',' if not loop.last }}
                    {% endfor %}
                )::text <> row(
                    {% for figure in figures %}t.{{ figure }}{{ ',' if not loop.last }}
                    {% endfor %}
                )::text
                then 1
            else 0
        end as restated_count,
    {% else %}
        c.in_process_count as in_process_first_count,
        c.in_process_overdue_count as in_process_overdue_first_count,
        c.processed_count as processed_first_count,
        0::bigint as restated_count,
    {% endif %}
    {{ run_seq() }} as run_seq
from complete as c
{% if is_increment() %}
    left join {{ this }} as t
        on
            c.as_of_day = t.as_of_day
            and c.unit_code = t.unit_code
            and c.field_code = t.field_code
            and c.channel_code = t.channel_code
    -- A group that appears on a day that was closed before is news about the past.
    cross join (select max(x.as_of_day) as last_day from {{ this }} as x) as l
{% endif %}
