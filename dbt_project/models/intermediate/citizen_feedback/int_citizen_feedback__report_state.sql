{{ config(
    incremental_strategy='refill', indexes=[{'columns': ['report_code', 'state_no'], 'unique': true}, {'columns': ['valid_from']}]
) }}
-- What was true of each report from when until when: its versions, and between and before them the steps of its log and its
-- own times. A source shows only the newest version of a report; its log tells what a reading missed.
with version as materialized (
    select * from {{ ref('int_citizen_feedback__report_version') }}
),

step as (
    select
        s.report_code, v.version_no, s.step_number::integer as step_number, v.open_from,
        least(s.acted_at, v.loaded_at) as acted_at,
        greatest(least(coalesce(s.acted_at, v.counts_from), v.counts_from), f.begun_at) as said_at,
        s.status_code, c.is_open,
        coalesce(s.action_code = 'forward' and u.name_key is not null, false) as is_forward,
        -- A log that forwards to nobody: the unit of the first version has handled it from the first step on.
        bool_or(coalesce(s.action_code = 'forward' and u.name_key is not null, false)) over (
            partition by s.report_code, v.version_no
        ) as is_forwarded,
        u.unit_code, coalesce(u.unit_code, u.name_key, u.unit_code_sent) as unit_key,
        v.unit_match, v.unit_code as version_unit_code, v.unit_key as version_unit_key
    from {{ ref('stg_citizen_feedback__step') }} as s
    inner join version as v
        on
            s.report_code = v.report_code
            and s.batch_id = v.batch_id
            and s.source_uri = v.source_uri
            and s.source_row = v.source_row
    inner join version as f on s.report_code = f.report_code and f.version_no = 1
    -- On the day of the step; a step whose time is not known is told by the day of the reading.
    inner join lateral {{
        meaning_on(
            ref('feedback_status'), 'status_code', ['is_open'], 's.status_code',
            local_day('coalesce(least(s.acted_at, v.loaded_at), v.loaded_at)')
        )
    }} as c on true
    left join {{ ref('int_citizen_feedback__unit') }} as u
        on
            coalesce(s.unit_code_sent, '') = coalesce(u.unit_code_sent, '')
            and coalesce(s.unit_name_sent, '') = coalesce(u.unit_name_sent, '')
            and f.is_before_communes = u.is_before_communes
),

point as (
    -- The beginning, before anybody handled it.
    select
        report_code, version_no, 0 as origin, 0 as step_number, open_from, begun_at as happened_at,
        least(begun_at, counts_from) as said_at, 'new' as status_code, true as is_open, false as sets_unit,
        null::text as unit_code, null::text as unit_key
    from version
    where version_no = 1
    union all
    -- Without a log, the answer's own time.
    select
        report_code, version_no, 1, 0, open_from, answered_at, least(answered_at, counts_from),
        status_code, false, true, unit_code, unit_key
    from version
    where version_no = 1 and step_count = 0 and not is_open and answered_at >= begun_at
    union all
    select
        report_code, version_no, 1, step_number, open_from, acted_at, said_at, status_code, is_open,
        case when is_forwarded then is_forward else version_no = 1 and unit_match <> 'none' end,
        case when is_forwarded then unit_code else version_unit_code end,
        case when is_forwarded then unit_key else version_unit_key end
    from step
    union all
    select
        report_code, version_no, 2, 0, open_from, coalesce(answered_at, counts_from), counts_from,
        coalesce(status_code, 'unknown'), is_open, unit_match <> 'none', unit_code, unit_key
    from version
),

-- A step after the version that told of it has a wrong clock; one of a day whose books are closed counts from the open day.
placed as (
    select *, greatest(said_at, open_from) as valid_from from point
),

filled as (
    select
        *,
        coalesce(max(version_no) filter (where origin = 2) over ahead, 1) as attribute_version_no,
        count(*) filter (where sets_unit) over ahead as unit_no
    from placed
    window ahead as (partition by report_code order by valid_from, version_no, origin, step_number)
),

stated as (
    select
        f.report_code,
        f.version_no,
        f.origin,
        f.step_number,
        f.valid_from,
        f.happened_at,
        f.status_code,
        f.is_open,
        case when f.unit_no > 0 then
            first_value(f.unit_code) over (
                partition by f.report_code, f.unit_no order by f.valid_from, f.version_no, f.origin, f.step_number
            )
        end as unit_code,
        case when f.unit_no > 0 then
            first_value(f.unit_key) over (
                partition by f.report_code, f.unit_no order by f.valid_from, f.version_no, f.origin, f.step_number
            )
        end as unit_key,
        a.field_code,
        a.channel_code,
        a.commune_code,
        a.due_at,
        a.begun_at,
        concat_ws(
            '|', f.status_code, f.is_open, a.due_at, coalesce(a.field_code, ''), coalesce(a.channel_code, ''),
            coalesce(a.commune_code, '')
        ) as words
    from filled as f
    inner join version as a on f.report_code = a.report_code and f.attribute_version_no = a.version_no
),

compared as (
    select
        *,
        row_number() over ahead as point_no,
        lag(is_open) over ahead as was_open,
        lag(unit_key) over ahead as previous_unit_key,
        lag(words || '|' || coalesce(unit_key, '')) over ahead as previous_words
    from stated
    window ahead as (partition by report_code order by valid_from, version_no, origin, step_number)
)

select
    report_code,
    row_number() over (partition by report_code order by point_no)::integer as state_no,
    valid_from,
    coalesce(lead(valid_from) over (partition by report_code order by point_no), 'infinity') as valid_to,
    happened_at,
    status_code,
    is_open,
    unit_code,
    unit_key,
    field_code,
    channel_code,
    commune_code,
    due_at,
    begun_at,
    (point_no = 1) as is_received,
    coalesce(is_open and not was_open, false) as is_reopened,
    coalesce(not is_open and was_open and status_code in ('answered', 'published'), false) as is_answered,
    coalesce(not is_open and was_open and status_code = 'rejected', false) as is_rejected,
    coalesce(not is_open and was_open and status_code = 'duplicate', false) as is_duplicate,
    coalesce(previous_unit_key <> unit_key, false) as is_transferred
from compared
where point_no = 1 or previous_words <> words || '|' || coalesce(unit_key, '')
