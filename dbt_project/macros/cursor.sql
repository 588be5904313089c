{#
Cost follows new data: every incremental model keeps a cursor per upstream in `ops.cursor`, moved in the transaction that
writes its rows. Rows carry `run_seq`, the run of their model that last changed them; a model reads the upstream rows whose
`run_seq` is above its cursor. Run numbers are given out under the model's lock and become visible in order, so a cursor never
passes over a row, and two runs of one model at the same time are harmless.

A model declares what it reads with `config(meta={'reads': [...]})`. The name `published` stands for the published batches
of its domain (publish_seq).
#}

{% macro cursor_domain() %}{{ return(model.fqn[-2]) }}{% endmacro %}

{% macro has_cursor() %}
    {{ return(model.resource_type == 'model' and 'reads' in (config.get('meta') or {})) }}
{% endmacro %}

{% macro lock_model() %}
    {% if has_cursor() %}select pg_advisory_xact_lock(hashtext('dbt:{{ this.schema }}.{{ this.identifier }}')){% endif %}
{% endmacro %}

{% macro open_cursor() %}
    {% if has_cursor() %}
        {% set existing = load_cached_relation(this) %}
        {% set afresh = flags.FULL_REFRESH or existing is none %}
        select
            set_config('ioc.since', coalesce((
                select c.value::text from ops.cursor as c
                where c.domain = '{{ cursor_domain() }}' and c.name = 'dbt:{{ model.name }}' and not {{ afresh }}
            ), '{}'), true),
            set_config('ioc.upto', jsonb_build_object(
                {% for upstream in config.get('meta')['reads'] %}
                    '{{ upstream }}',
                    {% if upstream == 'published' %}
                        (select max(b.publish_seq) from ops.load_batch as b where b.domain = '{{ cursor_domain() }}')
                    {% else %}
                        (
                            select (c.value ->> 'run')::bigint from ops.cursor as c
                            where c.domain = '{{ cursor_domain() }}' and c.name = 'dbt:{{ upstream }}'
                        )
                    {% endif %}
                    {{ ',' if not loop.last }}
                {% endfor %}
            )::text, true),
            {% if config.get('meta').get('newest') and not afresh %}
                -- A setting, not a subquery: the planner can then tell how few rows lie beyond it.
                set_config('ioc.newest', (
                    select max(t.{{ config.get('meta')['newest'] }})::text from {{ this }} as t
                ), true),
            {% endif %}
            set_config('ioc.run', nextval('intermediate.transform_run')::text, true)
    {% endif %}
{% endmacro %}

{% macro close_cursor() %}
    {% if has_cursor() %}
        {% if flags.FULL_REFRESH or load_cached_relation(this) is none %}
            analyze {{ this }};
        {% endif %}
        insert into ops.cursor (domain, name, value)
        values (
            '{{ cursor_domain() }}', 'dbt:{{ model.name }}',
            current_setting('ioc.upto')::jsonb || jsonb_build_object('run', current_setting('ioc.run')::bigint)
        )
        on conflict (domain, name) do update set value = excluded.value, updated_at = clock_timestamp()
    {% endif %}
{% endmacro %}

{# The number above which rows of `upstream` are new to this model; 0 on a first build and in unit tests. #}
{% macro since(upstream) -%}
    coalesce((nullif(current_setting('ioc.since', true), '')::jsonb ->> '{{ upstream }}')::bigint, 0)
{%- endmacro %}

{# The newest value that the model held before this run (`meta.newest` names the column), not later than now. #}
{% macro newest(type) -%}
    least(nullif(current_setting('ioc.newest', true), '')::{{ type }}, now()::{{ type }})
{%- endmacro %}

{# The run that stamps the rows written now. #}
{% macro run_seq() -%}
    coalesce(nullif(current_setting('ioc.run', true), '')::bigint, 0)
{%- endmacro %}

{# Post-hook: the newest instant of the domain's data, for the pipeline-health view; `expression` is read from this model. #}
{% macro record_newest_data(expression) %}
    insert into ops.cursor (domain, name, value)
    select '{{ cursor_domain() }}', 'dbt-newest-data', jsonb_build_object('at', {{ expression }}) from {{ this }}
    on conflict (domain, name) do update set value = excluded.value, updated_at = clock_timestamp()
    where ops.cursor.value is distinct from excluded.value
{% endmacro %}

{# Does this build add to what is there? A full refresh takes the plain path and never reads the table's old shape. #}
{% macro is_increment() %}{{ return(is_incremental() and not flags.FULL_REFRESH) }}{% endmacro %}

{#
Until when all lists of a domain's interface have been read, news or none: the reading that began longest ago among the newest
ones of each list. An office that is closed for the night changes nothing, and is no silent source.
#}
{% macro source_read_at(domain=none) -%}
    (
        select min(l.listed_at)
        from (
            select max((c.value ->> 'listed_at')::timestamptz) as listed_at
            from {{ source('ops', 'cursor') }} as c
            where c.domain = '{{ domain or cursor_domain() }}' and c.name like 'source:%'
            group by split_part(c.name, '#', 2)
        ) as l
    )
{%- endmacro %}
