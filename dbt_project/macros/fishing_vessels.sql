{# A registration number in the one form in which numbers are compared, TH-93388-TS; null when it is none. #}
{% macro registration_number(text) -%}
    upper(
        (regexp_match({{ text }}, '^\s*([[:alpha:]]{1,4})[\s._–-]*(\d{4,5})[\s._–-]*ts\s*$', 'i'))[1] || '-'
        || (regexp_match({{ text }}, '^\s*([[:alpha:]]{1,4})[\s._–-]*(\d{4,5})[\s._–-]*ts\s*$', 'i'))[2] || '-TS'
    )
{%- endmacro %}

{# The parameters of vessel_parameter in force on each `day` of a relation, one column each. #}
{% macro vessel_parameters(relation) %}
    {%- set names = [
        'near_line_nm', 'near_line_exit_nm', 'across_exit_nm', 'across_fixes', 'gps_accuracy_nm', 'max_speed_kn',
        'jump_accept_fixes', 'future_tolerance_h', 'most_late_h', 'fishing_speed_kn', 'wrong_zone_fixes', 'silent_h', 'silent_long_h'
    ] -%}
    select
        d.day
        {%- for name in names %},
        max(p.value) filter (where p.parameter = '{{ name }}') as {{ name }}
        {%- endfor %}
    from (select distinct day from {{ relation }}) as d
    inner join {{ ref('vessel_parameter') }} as p on d.day >= p.effective_from and d.day < p.effective_to
    group by d.day
{% endmacro %}
