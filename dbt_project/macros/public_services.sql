{#
A moment inside a JSON list of the one-stop system: `yyyyMMddHHmmss`, or ISO 8601 with or without offset; null when it is none,
so that one bad step costs a step and not the run. `text` is SQL.
#}
{% macro said_moment(text) -%}
    case
        when {{ text }} ~ '^\d{14}$' and pg_input_is_valid(left({{ text }}, 8) || 'T' || substr({{ text }}, 9), 'timestamp')
            then (left({{ text }}, 8) || 'T' || substr({{ text }}, 9))::timestamp at time zone '{{ var("time_zone") }}'
        when {{ text }} ~ '^\d{4}-\d\d-\d\d.*(Z|[+-]\d\d:?\d\d)$' and pg_input_is_valid({{ text }}, 'timestamptz')
            then ({{ text }})::timestamptz
        when {{ text }} ~ '^\d{4}-\d\d-\d\d' and pg_input_is_valid({{ text }}, 'timestamp')
            then ({{ text }})::timestamp at time zone '{{ var("time_zone") }}'
    end
{%- endmacro %}
