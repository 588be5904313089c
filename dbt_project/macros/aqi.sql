{#
Sub-indices of QĐ 1459/QĐ-TCMT. `source` has the key columns, `parameter`, `averaging_period`, `concentration` (µg/m³, unrounded
numeric) and `valid_on` (date that picks the breakpoints in force); the answer has the key columns, `parameter`,
`averaging_period` and `aqi`: an integer, rounded once, half away from zero (round(numeric)), or no row when there is no
concentration. Above the last breakpoint the index is 500; an O3 8-hour mean above 400 has no row, as the decision says.
Multiplying before dividing keeps exact halves exact.
#}
{% macro sub_index(source, keys) %}
    select
        {% for key in keys %}c.{{ key }}, {% endfor %}c.parameter, c.averaging_period,
        case
            when b.concentration_high_ug_m3 = 'infinity' then b.aqi_low
            else round(
                (b.aqi_high - b.aqi_low) * (c.concentration - b.concentration_low_ug_m3)
                / (b.concentration_high_ug_m3 - b.concentration_low_ug_m3) + b.aqi_low
            )
        end::integer as aqi
    from {{ source }} as c
    inner join {{ ref('air_aqi_breakpoint') }} as b
        on
            c.parameter = b.parameter
            and c.averaging_period = b.averaging_period
            and c.concentration >= b.concentration_low_ug_m3
            and (
                c.concentration < b.concentration_high_ug_m3
                or (b.is_high_included and c.concentration = b.concentration_high_ug_m3)
            )
            and c.valid_on >= b.effective_from
            and c.valid_on < b.effective_to
{% endmacro %}

{# The sub-indices of `source` (as the macro above gives them) side by side, with the highest of them and whose it is. #}
{% macro index_of_pollutants(source, keys) %}
    select
        {% for key in keys %}s.{{ key }}, {% endfor %}
        {% for parameter, column in [
            ('PM2.5', 'pm25'), ('PM10', 'pm10'), ('O3', 'o3'), ('NO2', 'no2'), ('SO2', 'so2'), ('CO', 'co')
        ] %}
            max(s.aqi) filter (where s.parameter = '{{ parameter }}') as aqi_{{ column }},
        {% endfor %}
        max(s.aqi) as highest,
        (array_agg(s.parameter order by s.aqi desc, p.aqi_order))[1] as highest_parameter,
        bool_or(s.parameter in ('PM2.5', 'PM10')) as has_particles
    from {{ source }} as s
    inner join {{ ref('air_parameter') }} as p on s.parameter = p.parameter
    group by {% for key in keys %}s.{{ key }}{{ ', ' if not loop.last }}{% endfor %}
{% endmacro %}

{# A mean as a plain decimal. Twelve decimals lie far beyond any instrument, and exact ties of the index stay exact. #}
{% macro exact(expression) -%}
    trim_scale(round({{ expression }}, 12))
{%- endmacro %}
