{#
A word of a source means one thing on any day: periods of the same text (as `folded` compares it) do not overlap, and none ends
before it begins. A later period of the same text is what a table with dates is for.
#}
{% test one_meaning_a_day(model, column_name) %}
    with period as (
        select {{ folded(column_name) }} as word, effective_from, effective_to, row_number() over () as row_no
        from {{ model }}
    )

    select a.word, a.effective_from, a.effective_to
    from period as a
    where
        coalesce(a.effective_from >= a.effective_to, true)
        or exists (
            select 1 from period as b
            where
                a.word = b.word
                and a.row_no <> b.row_no
                and a.effective_from < b.effective_to
                and b.effective_from < a.effective_to
        )
{% endtest %}
