-- Title and content of each report as they were said last, without personal data: the one place where they are read.
with newest as (
    {{ newest_record(source('raw_citizen_feedback', 'report'), ['report_code']) }}
)

{% set said = ['r.sender_name', 'r.sender_phone', 'r.sender_email', 'r.sender_address', 'r.sender_id_number'] %}
select
    r.report_code,
    {{ masked_text('r.title', said) }} as title,
    {{ masked_text('r.content', said) }} as content
from newest as r
