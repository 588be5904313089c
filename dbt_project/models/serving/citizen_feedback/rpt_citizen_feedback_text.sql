-- What officers search: title and content without personal data, and the folded text that PostgreSQL's index knows.
select
    f.report_code,
    f.unit_code,
    f.title,
    f.content,
    f.search_text,
    f.begun_at
from {{ ref('fct_citizen_feedback_report') }} as f
