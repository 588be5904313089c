select
    c.vessel_code,
    case
        when d.vessel_id is null then {{ escaped('c.vessel_code') }}
        else {{ item_link('fishing_vessels', 'd.vessel_id', 'c.vessel_code') }}
    end as vessel_link,
    c.direction,
    case c.direction when 'vao' then 'Vào cảng' else 'Ra cảng' end as direction_name,
    c.port_code,
    c.port_name,
    c.happened_at,
    c.seen_at,
    c.reported_at,
    case
        when c.seen_at is null then 'Cảng báo'
        when c.reported_at is null then 'Định vị'
        else 'Định vị và cảng báo'
    end as evidence_name,
    d.commune_name,
    coalesce(d.unit_code, 'SNNMT') as unit_code
from {{ ref('fct_vessel_port_call') }} as c
left join {{ ref('dim_vessel') }} as d on c.vessel_code = d.vessel_code
