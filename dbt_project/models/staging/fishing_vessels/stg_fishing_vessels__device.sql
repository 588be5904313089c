-- Which vessel carried which device. A text that is no list is no device.
select
    v.vessel_code,
    btrim(d.item ->> 'maThietBi') as device_code,
    coalesce((d.item ->> 'tuNgay')::timestamptz, '-infinity') as valid_from,
    coalesce((d.item ->> 'denNgay')::timestamptz, 'infinity') as valid_to,
    v.publish_seq
from {{ ref('stg_fishing_vessels__vessel') }} as v
cross join lateral jsonb_array_elements(
    case when jsonb_typeof(v.devices) = 'array' then v.devices else '[]'::jsonb end
) as d (item)
where
    btrim(d.item ->> 'maThietBi') <> ''
    -- A date that cannot be read would stop every build; the gate warns of it.
    and pg_input_is_valid(coalesce(d.item ->> 'tuNgay', 'now'), 'timestamptz')
    and pg_input_is_valid(coalesce(d.item ->> 'denNgay', 'now'), 'timestamptz')
