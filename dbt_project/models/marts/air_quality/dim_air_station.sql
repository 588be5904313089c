{{ config(materialized='view') }}
-- The registry as it stands today, and every unknown station that sends: shown, flagged, computed.
select
    coalesce(r.station_code, k.station_code) as station_code,
    coalesce(r.station_name, k.station_code) as station_name,
    r.commune_code,
    c.full_name_vi as commune_name,
    r.latitude,
    r.longitude,
    coalesce(r.owner_unit, 'SNNMT') as owner_unit,
    coalesce(r.commune_code, r.owner_unit, 'SNNMT') as unit_code,
    coalesce(r.cadence_minutes, {{ var('default_cadence_minutes') }}) as cadence_minutes,
    (r.station_code is not null) as is_registered,
    coalesce(r.is_public, false) as is_public,
    r.in_province,
    r.note_vi,
    k.first_reading_at,
    k.last_reading_at
from (
    select distinct on (station_code) * from {{ ref('stg_air_quality__station') }}
    order by station_code, valid_from desc
) as r
full outer join {{ ref('int_air_quality__station_seen') }} as k on r.station_code = k.station_code
left join {{ ref('commune') }} as c on r.commune_code = c.commune_code
