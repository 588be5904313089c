{{ config(materialized='lasting_view') }}
-- Whose today is what belonged to a unit: itself, or everyone who took over from it by today, chains followed, shares
-- multiplied. Figures of `old_code` times `weight`, summed by `unit_code`, keep their total where the shares do.
with recursive line as (
    select
        u.unit_code as old_code,
        u.unit_code,
        1::numeric as weight,
        min(u.valid_from) as effective_on,
        array[u.unit_code] as seen
    from {{ ref('dim_unit') }} as u
    group by u.unit_code
    union all
    -- A unit that the register of units never knew may still have a successor.
    select s.old_code, s.old_code as unit_code, 1 as weight, min(s.effective_on) as effective_on, array[s.old_code] as seen
    from {{ source('people', 'unit_succession') }} as s
    where
        not exists (
            select 1 from {{ ref('dim_unit') }} as u
            where s.old_code = u.unit_code
        )
    group by s.old_code
    union all
    select l.old_code, s.new_code, l.weight * s.weight, s.effective_on, l.seen || s.new_code
    from line as l
    inner join {{ source('people', 'unit_succession') }} as s
        on
            l.unit_code = s.old_code
            and s.effective_on <= {{ today() }}
            and s.new_code <> all(l.seen)
)

select l.old_code, l.unit_code, sum(l.weight) as weight, max(l.effective_on) as effective_on
from line as l
where not exists (
    select 1 from {{ source('people', 'unit_succession') }} as s
    where
        l.unit_code = s.old_code
        and s.effective_on <= {{ today() }}
        and s.new_code <> all(l.seen)
)
group by l.old_code, l.unit_code
