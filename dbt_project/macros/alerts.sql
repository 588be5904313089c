{# Short code of an incident as messages and pages show it. #}
{% macro incident_code(id) -%}
    'SC-' || upper(left(replace({{ id }}::text, '-', ''), 8))
{%- endmacro %}

{# A link into the portal for a table of Superset; `path` and `text` are SQL and hold nothing that a person typed. #}
{% macro portal_link(path, text) -%}
    '<a href="{{ env_var("IOC_PORTAL_URL", "") }}' || {{ path }} || '" target="_blank" rel="noopener">' || {{ text }} || '</a>'
{%- endmacro %}

{# Newest name of every unit. #}
{% macro unit_names() %}
    select distinct on (code) code, name_vi from {{ source('people', 'org_unit') }}
    order by code, valid desc
{% endmacro %}

{# Minutes between two instants, whole. #}
{% macro minutes_between(earlier, later) -%}
    round(extract(epoch from {{ later }} - {{ earlier }}) / 60)::bigint
{%- endmacro %}
