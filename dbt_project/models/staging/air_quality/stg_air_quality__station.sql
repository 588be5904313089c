-- The registry with typed validity: one row per station and period.
select
    s.station_code,
    s.station_name,
    s.commune_code,
    s.latitude,
    s.longitude,
    s.owner_unit,
    s.cadence_minutes,
    s.is_public,
    s.in_province,
    s.note_vi,
    {{ day_start('s.effective_from') }} as valid_from,
    {{ day_start('s.effective_to') }} as valid_to
from {{ ref('air_station') }} as s
