-- Every published version of every report without any personal data: the source's words with what they mean. Which unit is
-- meant is decided in int_citizen_feedback__unit.
with version as (
    {{ record_versions(source('raw_citizen_feedback', 'report'), ['report_code']) }}
),

started as (
    select
        v.*,
        coalesce(v.received_at, v.sent_at, v.changed_at) as said_begun_at,
        first_value(least(v.changed_at, v._loaded_at)) over (
            partition by v.report_code order by v.version_no
        ) as first_changed_at,
        coalesce(jsonb_array_length(nullif(v.payload -> 'cacBuoc', 'null')), 0) as step_count
    from version as v
)

select
    v.report_code,
    v.version_no,
    v.publish_seq,
    v._batch_id as batch_id,
    v._source_uri as source_uri,
    v._source_row as source_row,
    v._loaded_at as loaded_at,
    v.changed_at,
    v.status_text,
    s.status_code,
    s.status_name_vi,
    -- A status that no table knows: the report is open until an answer has a time.
    coalesce(s.is_open, v.answered_at is null) as is_open,
    v.field_text,
    f.field_code,
    f.field_name_vi,
    c.channel_code,
    c.channel_name_vi,
    v.channel_text,
    v.sent_at,
    v.received_at,
    -- Nothing begins after it was first changed or read.
    least(v.said_begun_at, v.first_changed_at) as begun_at,
    v.due_at as due_at_sent,
    v.answered_at,
    v.published_at,
    nullif(btrim(v.unit_code), '') as unit_code_sent,
    nullif(btrim(v.unit_name), '') as unit_name_sent,
    nullif(btrim(v.commune_code), '') as commune_code_sent,
    nullif(btrim(v.commune_name), '') as commune_name_sent,
    {{ local_day('least(v.said_begun_at, v.first_changed_at)') }} < (
        select min(u.valid_from) from {{ ref('dim_unit') }} as u
        where u.unit_kind in ('ward', 'commune')
    ) as is_before_communes,
    r.rating,
    v.original_code,
    v.step_count,
    (
        greatest(v.sent_at, v.received_at, v.answered_at, v.published_at, v.changed_at)
        > v._loaded_at + interval '15 minutes'
        or v.answered_at < v.received_at
        or v.received_at < v.sent_at
    ) is true as has_wrong_time
from started as v
left join {{ ref('feedback_status') }} as s
    on
        {{ folded('v.status_text') }} = {{ folded('s.status_text') }}
        and v.changed_at >= {{ day_start('s.effective_from') }}
        and v.changed_at < {{ day_start('s.effective_to') }}
left join {{ ref('feedback_field') }} as f
    on
        {{ folded('v.field_text') }} = {{ folded('f.field_text') }}
        and v.said_begun_at >= {{ day_start('f.effective_from') }}
        and v.said_begun_at < {{ day_start('f.effective_to') }}
left join {{ ref('feedback_channel') }} as c
    on
        {{ folded('v.channel_text') }} = {{ folded('c.channel_text') }}
        and v.said_begun_at >= {{ day_start('c.effective_from') }}
        and v.said_begun_at < {{ day_start('c.effective_to') }}
left join {{ ref('feedback_rating') }} as r
    on
        {{ folded('v.rating_text') }} = {{ folded('r.rating_text') }}
        and v.changed_at >= {{ day_start('r.effective_from') }}
        and v.changed_at < {{ day_start('r.effective_to') }}
