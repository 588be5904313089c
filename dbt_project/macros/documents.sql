{#
Which of the exclusive groups a document is in at an instant, each by its own condition, so that their sum is a check and not a
tautology. `d` is the alias of the relation (is_finished, due_at, near_from, finished_at), `at` the instant.
#}
{% macro document_flags(d, at) %}
    coalesce(not {{ d }}.is_finished and {{ d }}.due_at < {{ at }}, false) as is_overdue,
    coalesce(
        not {{ d }}.is_finished and {{ d }}.due_at >= {{ at }} and {{ d }}.near_from <= {{ at }}, false
    ) as is_near_due,
    coalesce({{ d }}.is_finished and {{ d }}.finished_at > {{ d }}.due_at, false) as is_overdue_finished,
    coalesce(not {{ d }}.is_finished and {{ d }}.near_from > {{ at }}, false) as is_in_time_open,
    coalesce({{ d }}.is_finished and {{ d }}.finished_at <= {{ d }}.due_at, false) as is_finished_in_time,
    ({{ d }}.due_at is null) as is_without_due
{% endmacro %}

{# The columns of a list that are the same in all three; `forwarded_at` only incoming documents have. #}
{% macro document_lists() %}{{ return(['incoming', 'outgoing', 'internal']) }}{% endmacro %}

{# Deadline as an instant: a day ends when the rule `r` says so, and a midnight is a day where it says so. #}
{% macro document_due(s, r) %}
    case
        when {{ s }}.due_moment is null then null
        when length(btrim({{ s }}.due_sent)) <= 10
            or ({{ r }}.is_midnight_a_day and {{ s }}.due_moment = {{ day_start(s ~ '.due_on') }})
            then ({{ s }}.due_on + {{ r }}.day_ends_at) at time zone '{{ var("time_zone") }}'
        else {{ s }}.due_moment
    end
{% endmacro %}

{#
CTE `unit`: whose the codes and names in `relation` (kind, document_id, unit_code_sent, unit_name_sent, valid_from) are. The code
counts: through the seed, or as it is; then the name of that day; then that of a former commune with one heir.
#}
{% macro document_units(relation) %}
sent as (
    select distinct unit_code_sent, unit_name_sent, {{ local_day('valid_from') }} as on_day from {{ relation }}
),

named as materialized (
    select unit_name_sent, {{ normalised_name('unit_name_sent') }} as name_key
    from (select distinct unit_name_sent from sent where unit_name_sent is not null) as n
),

-- A name that two units bear on that day says nothing.
by_name as materialized (
    select s.unit_name_sent, s.on_day, min(n.unit_code) as unit_code
    from (select distinct unit_name_sent, on_day from sent) as s
    inner join named as k on s.unit_name_sent = k.unit_name_sent
    inner join {{ ref('dim_unit') }} as n
        on k.name_key = n.name_key and s.on_day >= n.valid_from and s.on_day < n.valid_to
    group by s.unit_name_sent, s.on_day
    having count(distinct n.unit_code) = 1
),

unit as materialized (
    select
        s.unit_code_sent,
        s.unit_name_sent,
        s.on_day,
        coalesce(m.unit_code, c.unit_code, n.unit_code, f.unit_code) as unit_code
    from sent as s
    left join {{ ref('document_unit_code') }} as m
        on s.unit_code_sent = m.source_code and s.on_day >= m.effective_from and s.on_day < m.effective_to
    left join {{ ref('dim_unit_today') }} as c on s.unit_code_sent = c.unit_code
    left join by_name as n on s.unit_name_sent = n.unit_name_sent and s.on_day = n.on_day
    left join named as k on s.unit_name_sent = k.unit_name_sent
    left join {{ ref('bridge_former_unit') }} as f on k.name_key = f.former_key and f.weight = 1
)
{% endmacro %}

{# What signals of documents are about: the units, and what no known unit answers for. #}
{% macro document_entities() -%}
    (
        select unit_code, unit_name, longitude, latitude from {{ ref('dim_unit_today') }}
        union all
        select 'CHUA-RO', 'Chưa rõ đơn vị', null, null
    ) as u
{%- endmacro %}
