{# What is left of personal data in marts and serving (Luật 91/2025/QH15): enough to recognise a line, nobody to find. #}

{# "Lê Thị Hoa" → "L*** T*** H***". #}
{% macro masked_name(name) -%}
    regexp_replace(btrim({{ name }}), '(\S)\S*', '\1***', 'g')
{%- endmacro %}

{# The last three digits of a phone number; "*" when there are fewer than seven digits. #}
{% macro masked_phone(phone) -%}
    case
        when length(regexp_replace({{ phone }}, '\D', '', 'g')) >= 7
            then '*******' || right(regexp_replace({{ phone }}, '\D', '', 'g'), 3)
        when {{ phone }} is not null then '*'
    end
{%- endmacro %}

{# The last three signs of a number that names a person (CCCD, licence); "*" when there are fewer than seven. #}
{% macro masked_code(code) -%}
    case
        when length(btrim({{ code }})) >= 7 then '*********' || right(btrim({{ code }}), 3)
        when {{ code }} is not null then '*'
    end
{%- endmacro %}
