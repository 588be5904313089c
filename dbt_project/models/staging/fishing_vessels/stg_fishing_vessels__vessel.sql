-- The registry as it was said last. Two records of one number: the one changed last counts.
select distinct on (vessel_code)
    coalesce({{ registration_number('v.registration') }}, btrim(v.registration), v.vessel_id) as vessel_code,
    v.vessel_id,
    {{ masked_name('v.owner_name') }} as owner_masked,
    {{ masked_phone('v.owner_phone') }} as owner_phone_masked,
    {{ masked_code('v.owner_identity') }} as owner_identity_masked,
    v.commune_code,
    v.length_m,
    v.power_kw,
    v.gear,
    v.licence_until,
    v.status,
    v.devices,
    v.changed_at,
    v.publish_seq
from ({{ newest_record(source('raw_fishing_vessels', 'vessel'), ['vessel_id']) }}) as v
order by vessel_code, v.changed_at desc, v.vessel_id
