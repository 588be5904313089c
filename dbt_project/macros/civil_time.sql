{# Hour-ending label of an instant: (09:00, 10:00] belongs to 10:00. Vietnam is UTC+7 without daylight saving. #}
{% macro hour_ending(instant) -%}
    (date_trunc('hour', {{ instant }} - interval '1 microsecond', '{{ var("time_zone") }}') + interval '1 hour')
{%- endmacro %}

{# Civil day of an hour-ending label: 01:00 … 00:00 of the next day are the 24 labels of a day. #}
{% macro civil_day(label) -%}
    (({{ label }} - interval '1 hour') at time zone '{{ var("time_zone") }}')::date
{%- endmacro %}

{# The instant at which a civil day starts. #}
{% macro day_start(day) -%}
    (({{ day }})::timestamp at time zone '{{ var("time_zone") }}')
{%- endmacro %}

{# The present moment; a unit test sets the clock by overriding this macro. #}
{% macro this_moment() -%}
    now()
{%- endmacro %}

{# Is a period that ended at `label` over by the clock? #}
{% macro closed_by_clock(label) -%}
    {{ label }} + interval '{{ var("close_after_minutes") }} minutes' <= now()
{%- endmacro %}

{#
Merges instants of one key that lie within `gap` of each other into spans (from_at, to_at): a late reading and a fresh one in
the same batch give two short spans, not one that covers everything between them.
#}
{% macro spans(relation, key, instant, gap) %}
    select {{ key }}, min({{ instant }}) as from_at, max({{ instant }}) as to_at
    from (
        select
            {{ key }}, {{ instant }},
            count(*) filter (where is_start) over (partition by {{ key }} order by {{ instant }}) as span_no
        from (
            select
                {{ key }}, {{ instant }},
                coalesce(
                    {{ instant }} - lag({{ instant }}) over (partition by {{ key }} order by {{ instant }})
                    > interval '{{ gap }}', true
                ) as is_start
            from (select distinct {{ key }}, {{ instant }} from {{ relation }}) as touched
        ) as marked
    ) as numbered
    group by {{ key }}, span_no
{% endmacro %}

{# The civil day of an instant. #}
{% macro local_day(instant) -%}
    ({{ instant }} at time zone '{{ var("time_zone") }}')::date
{%- endmacro %}

{# Today, Vietnamese civil time. #}
{% macro today() -%}
    {{ local_day(this_moment()) }}
{%- endmacro %}
