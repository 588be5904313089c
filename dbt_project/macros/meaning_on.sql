{#
What a code of a table with dates means on a day, one row at most: several texts of a source may share a code, and a code may
change its name. Where no period holds that day, the newest one tells. `columns` are those of the meaning; `wanted` and `day`
are SQL.
#}
{% macro meaning_on(relation, code, columns, wanted, day) -%}
    (
        select {% for column in columns %}m.{{ column }}{{ ', ' if not loop.last }}{% endfor %}
        from {{ relation }} as m
        where {{ wanted }} = m.{{ code }}
        order by
            ({{ day }} >= m.effective_from and {{ day }} < m.effective_to) desc,
            m.effective_from desc,
            {% for column in columns %}m.{{ column }}{{ ', ' if not loop.last }}{% endfor %}
        limit 1
    )
{%- endmacro %}
