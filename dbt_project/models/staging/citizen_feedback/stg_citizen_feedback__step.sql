-- The handling log: each step as it was said first. A log is only added to; a step that is changed later moves no figure.
with version as (
    {{ record_versions(source('raw_citizen_feedback', 'handling_step'), ['report_code', 'step_number']) }}
)

select
    s.report_code,
    s.step_number,
    s._batch_id as batch_id,
    s._source_uri as source_uri,
    s._source_row as source_row,
    s.acted_at,
    s.action_text,
    a.action_code,
    a.status_code,
    nullif(btrim(s.to_unit_code), '') as unit_code_sent,
    nullif(btrim(s.to_unit_name), '') as unit_name_sent
from version as s
left join {{ ref('feedback_action') }} as a
    on
        {{ folded('s.action_text') }} = {{ folded('a.action_text') }}
        and s._loaded_at >= {{ day_start('a.effective_from') }}
        and s._loaded_at < {{ day_start('a.effective_to') }}
where s.version_no = 1
