-- The values of some signals are states (0 normal, 1 near the line, 2 across it). A rule on such a signal has no unit of
-- measure, not even an empty one, and wherever people would read a value they read the words of its level.
alter table alert.rule alter column unit_vi drop not null;

-- What a value of a rule that watches a state is called; no row for a rule that measures, or without a value. The
-- thresholds are those of the most specific scope that covers the series, as the engine picks them.
create function alert.state_of(of_version bigint, of_entity text, of_unit text, of_value numeric)
returns table (label_vi text, label_en text) language sql stable as $$
    with covering as (
        select t.*, v.direction,
            dense_rank() over (order by array_position(array['entity', 'pattern', 'unit', 'province'], t.scope_kind),
                length(t.scope_value) desc, t.scope_value) as breadth
        from alert.threshold t join alert.rule_version v using (rule_version_id)
        where t.rule_version_id = of_version and case t.scope_kind
            when 'entity' then t.scope_value = of_entity
            when 'unit' then t.scope_value = of_unit
            when 'pattern' then of_entity like t.scope_value
            else true end
    )
    select coalesce(reached.label_vi, 'bình thường'), coalesce(reached.label_en, 'normal')
    from alert.rule_version v join alert.rule r using (rule_id)
    left join lateral (
        select c.label_vi, c.label_en from covering c
        where c.breadth = 1 and case
            when c.enter_value = of_value then not c.enter_strict
            else (of_value > c.enter_value) = (c.direction = 'up') end
        order by c.level desc limit 1
    ) reached on true
    where v.rule_version_id = of_version and r.unit_vi is null and of_value is not null
$$;
