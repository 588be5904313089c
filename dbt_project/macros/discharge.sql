{#
Concentration at the reference oxygen of the permit: C · (20.9 − O2 reference) / (20.9 − O2 measured), both in % by volume. Null
when the gas is air (O2 measured ≥ 20.9, a stopped stack: nothing is left to correct) or when oxygen is unknown.
#}
{% macro at_reference_oxygen(value, o2_measured, o2_reference) -%}
    case
        when {{ o2_reference }} is null then {{ value }}
        when {{ o2_measured }} < {{ var('ambient_oxygen_pct') }}
            then {{ value }} * ({{ var('ambient_oxygen_pct') }} - {{ o2_reference }})
                / ({{ var('ambient_oxygen_pct') }} - {{ o2_measured }})
    end
{%- endmacro %}

{#
How a value stands to its limit: 1 is the limit itself, more is beyond it. With an upper limit alone value / limit. With both (pH)
the distance from the middle of the range in half widths, so that 1 is either end and both sides count alike. With a lower limit
alone limit / value. Not rounded; null without limit or value.
#}
{% macro ratio_to_limit(value, limit_min, limit_max) -%}
    case
        when {{ limit_min }} is not null and {{ limit_max }} is not null
            then abs(2 * {{ value }} - {{ limit_min }} - {{ limit_max }}) / ({{ limit_max }} - {{ limit_min }})
        when {{ limit_max }} is not null and {{ value }} is not null then greatest({{ value }}, 0) / {{ limit_max }}
        when {{ limit_min }} is not null and {{ value }} > 0 then {{ limit_min }} / {{ value }}
    end
{%- endmacro %}

{# Beyond the limit, exactly: a value that equals it is within. Null without value. #}
{% macro is_beyond_limit(value, limit_min, limit_max) -%}
    ({{ value }} > {{ limit_max }} or {{ value }} < {{ limit_min }})
{%- endmacro %}

{# The limit in force on a civil day, as a left join on outlet (station_code) and parameter. #}
{% macro join_limit(rows, day, alias='l') %}
    left join {{ ref('stg_industrial_discharge__limit') }} as {{ alias }}
        on
            {{ rows }}.station_code = {{ alias }}.station_code
            and {{ rows }}.parameter = {{ alias }}.parameter
            and {{ day }} >= {{ alias }}.effective_from
            and {{ day }} < {{ alias }}.effective_to
{% endmacro %}

{# The band of a ratio, as a left join. #}
{% macro join_band(ratio, alias='b') %}
    left join {{ ref('discharge_ratio_band') }} as {{ alias }}
        on
            ({{ ratio }} > {{ alias }}.ratio_from or {{ alias }}.is_from_included and {{ ratio }} = {{ alias }}.ratio_from)
            and ({{ ratio }} < {{ alias }}.ratio_to or {{ alias }}.is_to_included and {{ ratio }} = {{ alias }}.ratio_to)
{% endmacro %}

{# A limit in words: "5,5 – 9", "≤ 75", "≥ 2". #}
{% macro limit_in_words(limit_min, limit_max) -%}
    case
        when {{ limit_min }} is not null and {{ limit_max }} is not null
            then replace(trim_scale({{ limit_min }})::text, '.', ',') || ' – '
                || replace(trim_scale({{ limit_max }})::text, '.', ',')
        when {{ limit_max }} is not null then '≤ ' || replace(trim_scale({{ limit_max }})::text, '.', ',')
        when {{ limit_min }} is not null then '≥ ' || replace(trim_scale({{ limit_min }})::text, '.', ',')
    end
{%- endmacro %}

{#
How bad a silence from `earlier` to `later` is, as a left join: the class in force on the day of `later`. Exact to the second, so
that the one that begins a gap begins its class.
#}
{% macro join_silence(earlier, later, alias='c') %}
    left join {{ ref('discharge_silence_class') }} as {{ alias }}
        on
            extract(epoch from {{ later }} - {{ earlier }}) / 60 > {{ alias }}.minutes_above
            and extract(epoch from {{ later }} - {{ earlier }}) / 60 <= {{ alias }}.minutes_upto
            and {{ local_day(later) }} >= {{ alias }}.effective_from
            and {{ local_day(later) }} < {{ alias }}.effective_to
{% endmacro %}

{# Who discharges where, for the tables that people read; `o` is dim_discharge_outlet. #}
{% macro outlet_columns() %}
    o.station_code as outlet_code,
    o.outlet_name,
    o.medium_vi,
    coalesce(o.plant_name, 'Chưa đăng ký') as plant_name,
    o.zone_name,
    o.commune_code,
    o.unit_code,
    o.is_registered
{%- endmacro %}
