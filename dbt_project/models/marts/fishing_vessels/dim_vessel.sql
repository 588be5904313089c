{{ config(materialized='view') }}
-- The registry as it stands, and every number that sends without being in it: shown, flagged, watched like the others.
select
    coalesce(r.vessel_code, s.vessel_code) as vessel_code,
    r.vessel_id,
    r.owner_masked,
    r.owner_phone_masked,
    r.owner_identity_masked,
    r.commune_code,
    u.name_vi as commune_name,
    coalesce(r.commune_code, 'SNNMT') as unit_code,
    r.length_m,
    r.power_kw,
    r.gear,
    r.licence_until,
    r.status,
    r.vessel_code is not null as is_registered,
    {{ registration_number('coalesce(r.vessel_code, s.vessel_code)') }} is not null as is_number_readable
from {{ ref('stg_fishing_vessels__vessel') }} as r
full outer join (
    -- One step of the index per vessel, however long the history.
    with recursive seen as (
        (
            select f.vessel_code from {{ ref('fct_vessel_fix') }} as f
            order by f.vessel_code
            limit 1
        )
        union all
        select (
            select f.vessel_code from {{ ref('fct_vessel_fix') }} as f
            where f.vessel_code > s.vessel_code
            order by f.vessel_code
            limit 1
        ) from seen as s
        where s.vessel_code is not null
    )

    select vessel_code from seen
    where vessel_code is not null
) as s on r.vessel_code = s.vessel_code
-- The table of units itself: a view over another room's view would fall with it.
left join ({{ unit_names() }}) as u on r.commune_code = u.code
