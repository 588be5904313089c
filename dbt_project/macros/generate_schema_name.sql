{# Schemas carry exactly the name of their layer: the grants of the warehouse hang on it. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
