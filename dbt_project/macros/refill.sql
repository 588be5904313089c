{#
Incremental strategy `refill`: everything is computed anew, then takes the place of what was there, in one transaction. For
tables of a few thousand rows from which rows may also go; the views above stay, as with `upsert`.
#}
{% macro get_incremental_refill_sql(arg_dict) %}
    {% set columns = arg_dict['dest_columns'] | map(attribute='name') | join(', ') %}
    truncate {{ arg_dict['target_relation'] }};
    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }}
{% endmacro %}
