{#
Records of an interface: a source says the same record again whenever it changes, and every version is kept. The order in
which they were said is that of publication, then of loading, then of the place in the answer.
#}

{# Every published version of every record: the raw columns, `publish_seq`, and `version_no` from 1 on. #}
{% macro record_versions(relation, keys) %}
    select
        r.*,
        b.publish_seq,
        row_number() over (
            partition by {% for key in keys %}r.{{ key }}{{ ', ' if not loop.last }}{% endfor %}
            order by b.publish_seq, r._loaded_at, r._source_row
        )::integer as version_no
    from {{ relation }} as r
    inner join {{ source('ops', 'load_batch') }} as b on r._batch_id = b.batch_id
    where b.status = 'published'
{% endmacro %}

{# The version of each record that was said last. #}
{% macro newest_record(relation, keys) %}
    select distinct on ({% for key in keys %}r.{{ key }}{{ ', ' if not loop.last }}{% endfor %})
        r.*,
        b.publish_seq
    from {{ relation }} as r
    inner join {{ source('ops', 'load_batch') }} as b on r._batch_id = b.batch_id
    where b.status = 'published'
    order by
        {% for key in keys %}r.{{ key }}, {% endfor %}b.publish_seq desc, r._loaded_at desc, r._source_row desc
{% endmacro %}
