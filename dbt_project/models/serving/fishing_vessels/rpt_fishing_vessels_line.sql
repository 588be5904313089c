-- The lines on the map, stretch by stretch, as in force today.
select
    l.line_code,
    case l.line_code
        when 'vinh_bac_bo' then 'Đường phân định Vịnh Bắc Bộ'
        when 'tuyen_bo' then 'Tuyến bờ (gần đúng, chờ Sở cung cấp)'
        else 'Tuyến lộng (gần đúng, chờ Sở cung cấp)'
    end as line_name,
    l.point_number,
    l.latitude,
    l.longitude,
    lead(l.latitude) over line as next_latitude,
    lead(l.longitude) over line as next_longitude,
    case l.trust
        when 'seen' then 'Đã đối chiếu'
        when 'unverified' then 'Cần kiểm tra lại'
        else 'Gần đúng'
    end as trust_name,
    l.citation
from {{ ref('vessel_sea_line') }} as l
where {{ today() }} >= l.effective_from and {{ today() }} < l.effective_to
window line as (partition by l.line_code order by l.point_number)
