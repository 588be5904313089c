{#
Records of an interface: a source says the same record again whenever it changes, and every version is kept. The order in
which they were said is that of reading them (batch, then loading, then the place in the answer), never that of
publication: a batch that waited in quarantine is published after what was said later.
#}

{#
Every published version of every record: the raw columns, `publish_seq`, and `version_no` from 1 on. A version that was
overtaken before it was published is none: by then the source had taken it back, and what was published since, closed days
among it, stays as it was. So publish_seq and version_no go the same way.
#}
{% macro record_versions(relation, keys) %}
    select
        s.*,
        row_number() over (
            partition by {{ keyed_by('s', keys) }}
            order by s._batch_id, s._loaded_at, s._source_row
        )::integer as version_no
    from (
        select
            r.*,
            b.publish_seq,
            min(b.publish_seq) over (
                partition by {{ keyed_by('r', keys) }}
                order by r._batch_id, r._loaded_at, r._source_row
                rows between 1 following and unbounded following
            ) as overtaken_seq
        from {{ relation }} as r
        inner join {{ source('ops', 'load_batch') }} as b on r._batch_id = b.batch_id
        where b.status = 'published'
    ) as s
    where s.overtaken_seq is null or s.overtaken_seq >= s.publish_seq
{% endmacro %}

{# The version of each record that was said last. #}
{% macro newest_record(relation, keys) %}
    select distinct on ({{ keyed_by('r', keys) }})
        r.*,
        b.publish_seq
    from {{ relation }} as r
    inner join {{ source('ops', 'load_batch') }} as b on r._batch_id = b.batch_id
    where b.status = 'published'
    order by {{ keyed_by('r', keys) }}, r._batch_id desc, r._loaded_at desc, r._source_row desc
{% endmacro %}

{# The columns that tell records apart, of `alias`. #}
{% macro keyed_by(alias, keys) -%}
    {% for key in keys %}{{ alias }}.{{ key }}{{ ', ' if not loop.last }}{% endfor %}
{%- endmacro %}
