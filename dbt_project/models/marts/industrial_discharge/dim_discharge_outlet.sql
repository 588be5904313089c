{{ config(materialized='view') }}
-- The registry as it stands today, and every unknown station that sends: shown, flagged, computed.
select
    coalesce(r.station_code, k.station_code) as station_code,
    coalesce(r.outlet_name, k.station_code) as outlet_name,
    r.medium,
    case r.medium when 'water' then 'Nước thải' when 'gas' then 'Khí thải' else 'Chưa rõ' end as medium_vi,
    r.plant_code,
    p.plant_name,
    p.sector_vi,
    p.zone_code,
    coalesce(z.zone_name, 'Ngoài khu công nghiệp') as zone_name,
    r.commune_code,
    c.full_name_vi as commune_name,
    r.latitude,
    r.longitude,
    coalesce(r.commune_code, 'SNNMT') as unit_code,
    coalesce(r.cadence_minutes, {{ var('default_cadence_minutes') }}) as cadence_minutes,
    (r.station_code is not null) as is_registered,
    coalesce(r.is_public, false) as is_public,
    r.note_vi,
    k.first_reading_at,
    k.last_reading_at
from (
    select distinct on (station_code) * from {{ ref('stg_industrial_discharge__outlet') }}
    order by station_code, valid_from desc
) as r
full outer join {{ ref('int_industrial_discharge__station_seen') }} as k on r.station_code = k.station_code
left join (
    select distinct on (plant_code) * from {{ ref('discharge_plant') }}
    order by plant_code, effective_from desc
) as p on r.plant_code = p.plant_code
left join (
    select distinct on (zone_code) * from {{ ref('discharge_zone') }}
    order by zone_code, effective_from desc
) as z on p.zone_code = z.zone_code
left join {{ ref('commune') }} as c on r.commune_code = c.commune_code
