-- How many vessels of a unit were at sea, and in which states, at each full hour of the feed.
select
    h.hour_at,
    d.unit_code,
    u.name_vi as unit_name,
    count(*) filter (where h.is_at_sea) as at_sea_count,
    count(*) filter (where h.is_at_sea and h.line_level = 1) as near_line_count,
    count(*) filter (where h.line_level = 2) as across_count,
    count(*) filter (where h.is_at_sea and h.is_wrong_zone) as wrong_zone_count,
    count(*) filter (where h.is_sos) as sos_count,
    count(*) filter (where h.is_silent) as silent_count,
    count(*) filter (where h.is_silent_long) as silent_long_count
from {{ ref('fct_vessel_hour') }} as h
inner join {{ ref('dim_vessel') }} as d on h.vessel_code = d.vessel_code
left join ({{ unit_names() }}) as u on d.unit_code = u.code
group by h.hour_at, d.unit_code, u.name_vi
