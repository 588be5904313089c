{#
Insert what is new, update what differs, leave what is equal untouched: an unchanged row keeps its `run_seq`, so recomputing
a neighbourhood wakes nothing downstream unless a value really changed. ON CONFLICT finds rows by index whatever the planner
believes about the temporary table, so the cost does not grow with history.

A full refresh computes everything first, then empties and refills the table in the same transaction: whoever reads it waits
for that moment only, and no view above it is dropped.
#}
{% macro get_incremental_upsert_sql(arg_dict) %}
    {% set keys = arg_dict['unique_key'] %}
    {% set columns = arg_dict['dest_columns'] | map(attribute='name') | list %}
    {% set compared = [] %}
    {% for column in columns if column not in keys and column != 'run_seq' %}{% do compared.append(column) %}{% endfor %}
    {% if flags.FULL_REFRESH %}truncate {{ arg_dict['target_relation'] }};{% endif %}
    insert into {{ arg_dict['target_relation'] }} as kept ({{ columns | join(', ') }})
    select {{ columns | join(', ') }} from {{ arg_dict['temp_relation'] }}
    {% if not flags.FULL_REFRESH %}
    on conflict ({{ keys | join(', ') }}) do update set
    {% for column in compared %}{{ column }} = excluded.{{ column }}, {% endfor %}run_seq = excluded.run_seq
    where
        ({% for column in compared %}kept.{{ column }}{{ ', ' if not loop.last }}{% endfor %})
        is distinct from ({% for column in compared %}excluded.{{ column }}{{ ', ' if not loop.last }}{% endfor %})
    {% endif %}
{% endmacro %}

{# `indexes` config of an incremental model: the unique key, and what the next model looks up. #}
{% macro keyed(keys, extra=none) %}
    {% set indexes = [{'columns': keys, 'unique': true}, {'columns': ['run_seq']}] %}
    {% for columns in (extra or []) %}{% do indexes.append({'columns': columns}) %}{% endfor %}
    {{ return(indexes) }}
{% endmacro %}
