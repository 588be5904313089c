{{ config(
    incremental_strategy='refill',
    indexes=[{'columns': ['report_code', 'version_no'], 'unique': true}],
    post_hook=["{{ record_newest_data('max(' ~ source_read_at() ~ ')') }}"]
) }}
-- Every version with its unit, commune and deadline, and the moment from which it counts. Days whose books are closed stay
-- as they are: what is said of them later counts from the first open day on, which is the day up to which the reading before
-- had come, once readings had caught up with the source.
with reading as (
    select
        publish_seq,
        max(least(changed_at, loaded_at)) as newest_at,
        max(loaded_at) as loaded_at
    from {{ ref('stg_citizen_feedback__report_version') }}
    group by publish_seq
),

book as (
    select
        publish_seq,
        coalesce(
            date_trunc('day', max(newest_at) filter (
                where newest_at > loaded_at - interval '{{ var("feedback_caught_up_hours", 48) }} hours'
            ) over (order by publish_seq rows between unbounded preceding and 1 preceding), '{{ var("time_zone") }}'),
            '-infinity'
        ) as open_from
    from reading
)

select
    v.report_code,
    v.version_no,
    v.publish_seq,
    v.batch_id,
    v.source_uri,
    v.source_row,
    v.loaded_at,
    v.changed_at,
    b.open_from,
    -- Order is that in which it was said: a version never counts from before the one that it replaced.
    max(greatest(least(v.changed_at, v.loaded_at), b.open_from)) over (
        partition by v.report_code order by v.version_no
    ) as counts_from,
    v.status_code,
    v.status_name_vi,
    v.status_text,
    v.is_open,
    v.field_code,
    v.field_name_vi,
    v.channel_code,
    v.channel_name_vi,
    u.unit_code,
    case
        when coalesce(v.unit_code_sent, v.unit_name_sent) is null then 'none'
        else u.matched_by
    end as unit_match,
    -- Tells units that nobody knows from each other.
    coalesce(u.unit_code, u.name_key, v.unit_code_sent) as unit_key,
    v.unit_name_sent,
    u.candidates_vi as unit_candidates_vi,
    p.unit_code as commune_code,
    case
        when coalesce(v.commune_code_sent, v.commune_name_sent) is null then 'none'
        when p.unit_code is null and p.matched_by <> 'several' then 'unknown'
        else p.matched_by
    end as commune_match,
    p.candidates_vi as commune_candidates_vi,
    v.sent_at,
    v.received_at,
    v.begun_at,
    v.answered_at,
    v.published_at,
    v.due_at_sent,
    case
        -- A date without time lasts to its end.
        when (v.due_at_sent at time zone '{{ var("time_zone") }}')::time = '00:00' then v.due_at_sent + interval '1 day'
        when v.due_at_sent is not null then v.due_at_sent
        else l.limit_at
    end as due_at,
    l.limit_at,
    v.rating,
    v.original_code,
    v.is_before_communes,
    v.step_count,
    v.has_wrong_time
from {{ ref('stg_citizen_feedback__report_version') }} as v
inner join book as b on v.publish_seq = b.publish_seq
left join {{ ref('int_citizen_feedback__unit') }} as u
    on
        coalesce(v.unit_code_sent, '') = coalesce(u.unit_code_sent, '')
        and coalesce(v.unit_name_sent, '') = coalesce(u.unit_name_sent, '')
        and v.is_before_communes = u.is_before_communes
left join {{ ref('int_citizen_feedback__unit') }} as p
    on
        coalesce(v.commune_code_sent, '') = coalesce(p.unit_code_sent, '')
        and coalesce(v.commune_name_sent, '') = coalesce(p.unit_name_sent, '')
        and v.is_before_communes = p.is_before_communes
left join {{ ref('feedback_deadline') }} as d
    on v.begun_at >= {{ day_start('d.effective_from') }} and v.begun_at < {{ day_start('d.effective_to') }}
-- The last day counts to its end.
cross join lateral (
    select ref.add_work_days(d.calendar_code, {{ local_day('v.begun_at') }}, d.day_count) as last_day
) as w
cross join lateral (select {{ day_start('w.last_day + 1') }} as limit_at) as l
