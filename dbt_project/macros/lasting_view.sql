{#
A view that views of several domains stand on. dbt's own kind is dropped and made anew with each layout, and takes along
whatever hangs on it, in other domains too; this one is replaced in place. PostgreSQL refuses that when a column goes or
changes its type: then `drop view … cascade` by hand and lay all domains out again.
#}
{% materialization lasting_view, adapter='postgres' %}
    {%- set target_relation = this.incorporate(type='view') -%}
    {{ run_hooks(pre_hooks) }}
    {% call statement('main') -%}
        create or replace view {{ target_relation }} as (
            {{ sql }}
        )
    {%- endcall %}
    {% do persist_docs(target_relation, model) %}
    {{ run_hooks(post_hooks) }}
    {% do adapter.commit() %}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
