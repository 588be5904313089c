{# The form in which names of units are compared (migration 0011). #}
{% macro normalised_name(name) -%}
    ref.normalised_name({{ name }})
{%- endmacro %}
