select
    e.vessel_code,
    case
        when d.vessel_id is null then {{ escaped('e.vessel_code') }}
        else {{ item_link('fishing_vessels', 'd.vessel_id', 'e.vessel_code') }}
    end as vessel_link,
    e.kind,
    s.state_name_vi as kind_name,
    s.state_order as kind_order,
    e.opened_at,
    e.closed_at,
    e.closed_at is null as is_open,
    case when e.closed_at is null then 'Đang diễn ra' else 'Đã kết thúc' end as status_name,
    round(extract(epoch from coalesce(e.closed_at, t.as_of_at) - e.opened_at) / 3600, 1) as duration_h,
    e.reason_vi,
    round(e.nearest_nm::numeric, 2) as nearest_nm,
    e.silent_h,
    e.latitude,
    e.longitude,
    {{ degrees_minutes('e.latitude', 'B') }} as latitude_text,
    {{ degrees_minutes('e.longitude', 'Đ') }} as longitude_text,
    d.length_m,
    d.owner_masked,
    d.commune_name,
    d.unit_code
from {{ ref('fct_vessel_episode') }} as e
inner join {{ ref('dim_vessel') }} as d on e.vessel_code = d.vessel_code
inner join {{ ref('vessel_state') }} as s on e.kind = s.state
cross join (select max(f.received_at) as as_of_at from {{ ref('int_fishing_vessels__fix') }} as f) as t
