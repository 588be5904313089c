{{ config(materialized='lasting_view') }}
-- Communes before 1/7/2025 by name (NQ 1686/NQ-UBTVQH15 names, and gives no codes) and whose they are today. One that was
-- divided, or whose name several districts knew, has several rows; its shares are in no source, so `weight` is null.
with part as (
    select
        c.commune_code as unit_code,
        btrim(regexp_replace(p.said, '\(.*\)', '')) as former_name,
        btrim(substring(p.said from '\((.*)\)')) as former_district
    from {{ ref('commune') }} as c
    cross join lateral regexp_split_to_table(
        case when c.predecessors_vi = 'giữ nguyên' then c.full_name_vi else c.predecessors_vi end, ',\s*(?![^()]*\))'
    ) as p (said)
),

keyed as (
    select distinct
        {{ normalised_name('former_name') }} as former_key,
        former_name,
        former_district,
        unit_code
    from part
)

select
    former_key,
    former_name,
    former_district,
    unit_code,
    case when count(*) over (partition by former_key) = 1 then 1::numeric end as weight
from keyed
