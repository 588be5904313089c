{{ config(
    unique_key=['source_unit_code', 'valid_from'],
    indexes=keyed(['source_unit_code', 'valid_from']),
    meta={'reads': ['published']},
    incremental_strategy='refill'
) }}
-- Whose unit was whose, from which day to which: by code from the reference table, else by the name that the source gave it
-- then, else by the name of a former commune that has one heir. A day keeps its unit, whatever is renamed or merged later:
-- who took over is applied where figures are shown (`bridge_unit`). What stays unknown counts under a code of its own.
with name as materialized (
    select * from {{ ref('stg_public_services__unit') }}
),

source_unit as (
    select source_unit_code from name
    union
    select s.source_unit_code from {{ ref('int_public_services__status') }} as s
    where s.source_unit_code is not null
),

-- The days on which the answer may change.
bound as (
    select source_unit_code, '-infinity'::date as valid_from from source_unit
    union
    select source_unit_code, named_from from name
    union
    select m.source_unit_code, b.on_day
    from {{ ref('public_service_unit_map') }} as m
    cross join lateral (values (m.effective_from), (m.effective_to)) as b (on_day)
    union
    select n.source_unit_code, b.on_day
    from name as n
    inner join {{ ref('dim_unit') }} as u on n.name_key = u.name_key
    cross join lateral (values (u.valid_from), (u.valid_to)) as b (on_day)
),

period as (
    select
        b.source_unit_code,
        b.valid_from,
        coalesce(
            lead(b.valid_from) over (partition by b.source_unit_code order by b.valid_from), 'infinity'::date
        ) as valid_to
    from bound as b
    inner join source_unit as s on b.source_unit_code = s.source_unit_code
    where b.valid_from < 'infinity'
),

heir as (
    select f.former_key, min(f.unit_code) as unit_code from {{ ref('bridge_former_unit') }} as f
    group by f.former_key
    having count(*) = 1
)

select
    p.source_unit_code,
    coalesce(n.source_unit_name, p.source_unit_code) as source_unit_name,
    p.valid_from,
    p.valid_to,
    coalesce(m.unit_code, t.unit_code, h.unit_code, 'CHUA-RO') as unit_code,
    case
        when m.unit_code is not null then 'code'
        when t.unit_code is not null then 'name'
        when h.unit_code is not null then 'former_name'
        else 'unknown'
    end as matched_by,
    {{ run_seq() }} as run_seq
from period as p
left join lateral (
    select x.source_unit_name, x.name_key from name as x
    where p.source_unit_code = x.source_unit_code and p.valid_from >= x.named_from
    order by x.named_from desc
    limit 1
) as n on true
left join {{ ref('public_service_unit_map') }} as m
    on p.source_unit_code = m.source_unit_code and p.valid_from >= m.effective_from and p.valid_from < m.effective_to
-- Who bears the name that day; on other days whoever bore it last: a unit that has ended keeps what it did.
left join lateral (
    select u.unit_code from {{ ref('dim_unit') }} as u
    where n.name_key = u.name_key
    order by (p.valid_from >= u.valid_from and p.valid_from < u.valid_to) desc, u.valid_from desc
    limit 1
) as t on true
left join heir as h on n.name_key = h.former_key
