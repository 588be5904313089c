{{ config(
    incremental_strategy='refill',
    indexes=[{'columns': ['report_code'], 'unique': true}, {'columns': ['unit_code', 'begun_at']}],
    post_hook=[
        "create index if not exists fct_citizen_feedback_report_words on {{ this }}"
        ~ " using gin (to_tsvector('simple'::regconfig, search_text))"
    ]
) }}
-- Each report as it stands, with what its life amounts to. Response time runs from receipt to the answer that counts.
with life as (
    select
        report_code,
        count(*) filter (where is_transferred) as transfer_count,
        count(*) filter (where is_reopened) as reopen_count,
        max(happened_at) filter (where is_reopened) as reopened_at
    from {{ ref('int_citizen_feedback__report_state') }}
    group by report_code
),

newest as (
    select distinct on (report_code) * from {{ ref('int_citizen_feedback__report_version') }}
    order by report_code, version_no desc
)

select
    n.report_code,
    t.title,
    t.content,
    {{ folded("n.report_code || ' ' || coalesce(t.title, '') || ' ' || coalesce(t.content, '')") }} as search_text,
    coalesce(n.status_code, 'unknown') as status_code,
    n.status_name_vi,
    n.is_open,
    n.field_code,
    n.field_name_vi,
    n.channel_code,
    n.channel_name_vi,
    n.unit_code,
    n.unit_match,
    n.unit_candidates_vi,
    {{ masked_text('n.unit_name_sent') }} as unit_name_sent,
    n.commune_code,
    n.commune_match,
    n.commune_candidates_vi,
    n.sent_at,
    n.received_at,
    n.begun_at,
    n.due_at,
    n.limit_at,
    (n.due_at_sent is not null) as is_due_from_source,
    case when not n.is_open then n.answered_at end as finished_at,
    n.published_at,
    case
        when
            not n.is_open and n.status_code in ('answered', 'published') and n.answered_at >= n.begun_at
            and not n.has_wrong_time
            then round((extract(epoch from n.answered_at - n.begun_at) / 86400)::numeric, 4)
    end as response_days,
    case when not n.is_open and n.status_code in ('answered', 'published') then n.answered_at <= n.due_at end
        as is_answered_in_time,
    case when n.published_at is not null then n.published_at <= n.limit_at end as is_published_in_limit,
    n.rating,
    coalesce(l.transfer_count, 0) as transfer_count,
    coalesce(l.reopen_count, 0) as reopen_count,
    l.reopened_at,
    n.original_code,
    n.step_count,
    n.version_no as version_count,
    n.changed_at,
    (n.status_code is not null) as is_status_known,
    (n.field_code is not null) as is_field_known,
    (n.unit_match <> 'unknown') as is_unit_known,
    (n.commune_match <> 'unknown') as is_commune_known,
    n.has_wrong_time
from newest as n
inner join {{ ref('stg_citizen_feedback__text') }} as t on n.report_code = t.report_code
left join life as l on n.report_code = l.report_code
