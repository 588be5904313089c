{{ config(
    unique_key=['source_unit_code'],
    indexes=keyed(['source_unit_code']),
    meta={'reads': ['published']},
    incremental_strategy='refill'
) }}
-- Whose unit is whose: by code from the reference table, else by name among today's units, else by the name of a former
-- commune that has one heir. What stays unknown is shown and counted under a code of its own.
with unit as (
    select
        coalesce(u.source_unit_code, d.source_unit_code) as source_unit_code,
        coalesce(u.source_unit_name, d.source_unit_code) as source_unit_name,
        u.name_key
    from {{ ref('stg_public_services__unit') }} as u
    full outer join (
        select distinct s.source_unit_code from {{ ref('int_public_services__status') }} as s
        where s.source_unit_code is not null
    ) as d on u.source_unit_code = d.source_unit_code
),

heir as (
    select f.former_key, min(f.unit_code) as unit_code from {{ ref('bridge_former_unit') }} as f
    group by f.former_key
    having count(*) = 1
),

matched as (
    select
        u.source_unit_code,
        u.source_unit_name,
        coalesce(m.unit_code, t.unit_code, h.unit_code) as unit_code,
        case
            when m.unit_code is not null then 'code'
            when t.unit_code is not null then 'name'
            when h.unit_code is not null then 'former_name'
            else 'unknown'
        end as matched_by
    from unit as u
    left join {{ ref('public_service_unit_map') }} as m
        on u.source_unit_code = m.source_unit_code and {{ today() }} >= m.effective_from and {{ today() }} < m.effective_to
    left join {{ ref('dim_unit_today') }} as t on u.name_key = t.name_key and t.is_current
    left join heir as h on u.name_key = h.former_key
)

select
    m.source_unit_code,
    m.source_unit_name,
    -- A successor stands in for a unit of ours that has ended.
    coalesce(b.unit_code, m.unit_code, 'CHUA-RO') as unit_code,
    m.matched_by,
    {{ run_seq() }} as run_seq
from matched as m
left join (
    select x.old_code, min(x.unit_code) as unit_code from {{ ref('bridge_unit') }} as x
    group by x.old_code
    having count(*) = 1
) as b on m.unit_code = b.old_code
