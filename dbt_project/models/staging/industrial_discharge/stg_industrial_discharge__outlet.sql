-- The registry with typed validity: one row per outlet and period. An outlet has one station, which bears its code.
select
    o.outlet_code as station_code,
    o.outlet_name,
    o.plant_code,
    o.medium,
    o.commune_code,
    o.latitude,
    o.longitude,
    o.cadence_minutes,
    o.is_public,
    o.note_vi,
    {{ day_start('o.effective_from') }} as valid_from,
    {{ day_start('o.effective_to') }} as valid_to
from {{ ref('discharge_outlet') }} as o
