{# Of these truth values exactly one holds in every row: groups that are meant to be exclusive and complete. #}
{% test exactly_one(model, columns) %}
    select {{ columns | join(', ') }}
    from {{ model }}
    where {% for column in columns %}{{ column }}::integer{{ ' + ' if not loop.last }}{% endfor %} is distinct from 1
{% endtest %}
