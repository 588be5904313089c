-- Usable positions in order of time: the track of a vessel.
select
    f.vessel_code,
    f.ordered_at as measured_at,
    f.received_at,
    f.latitude,
    f.longitude,
    {{ degrees_minutes('f.latitude', 'B') }} as latitude_text,
    {{ degrees_minutes('f.longitude', 'Đ') }} as longitude_text,
    f.speed_kn,
    f.course_deg,
    round(f.line_distance_nm::numeric, 2) as line_distance_nm,
    z.zone_name_vi as zone_name,
    p.port_name_vi as port_name,
    case
        when f.sos_since is not null then 'Gặp sự cố (SOS)'
        when f.line_level = 2 then 'Vượt ranh giới'
        when f.port_code is not null then 'Trong cảng'
        when f.line_level = 1 then 'Gần ranh giới'
        when f.wrong_zone_since is not null then 'Sai vùng khai thác'
        else 'Đang hoạt động trên biển'
    end as state_name,
    d.unit_code
from {{ ref('fct_vessel_fix') }} as f
inner join {{ ref('dim_vessel') }} as d on f.vessel_code = d.vessel_code
left join {{ ref('vessel_zone_rule') }} as z
    on
        f.zone_code = z.zone_code
        and {{ local_day('f.ordered_at') }} >= z.effective_from
        and {{ local_day('f.ordered_at') }} < z.effective_to
left join {{ ref('vessel_port') }} as p
    on
        f.port_code = p.port_code
        and {{ local_day('f.ordered_at') }} >= p.effective_from
        and {{ local_day('f.ordered_at') }} < p.effective_to
where f.is_used
