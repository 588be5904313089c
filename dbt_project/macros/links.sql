{# A text as HTML shows it. #}
{% macro escaped(text) -%}
    replace(replace(replace(replace({{ text }}, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;')
{%- endmacro %}

{#
A link to an item in the system that it comes from, for a table of Superset; the plain text where this installation knows no
address (IOC_ITEM_URL_<DOMAIN>, with {id} in it) or the number would not survive in one. `id` and `text` are SQL.
#}
{% macro item_link(domain, id, text) -%}
    {%- set address = env_var('IOC_ITEM_URL_' ~ domain | upper, '') -%}
    {%- if '{id}' in address -%}
        {%- set before, after = address.split('{id}', 1) -%}
        case
            when ({{ id }})::text ~ '^[A-Za-z0-9._-]+$'
                then '<a href="{{ before | e }}' || ({{ id }})::text || '{{ after | e }}" target="_blank" rel="noopener">'
                    || {{ escaped(text) }} || '</a>'
            else {{ escaped(text) }}
        end
    {%- else -%}
        {{ escaped(text) }}
    {%- endif -%}
{%- endmacro %}
