{{ config(materialized='view') }}
-- One row per episode: near the line, across it, in the wrong zone, distress (by message), silent (by hour).
with told as (
    {% for kind, since in [
        ('gan_ranh_gioi', 'near_since'), ('vuot_ranh_gioi', 'across_since'), ('sai_vung', 'wrong_zone_since'), ('sos', 'sos_since')
    ] %}
        select
            '{{ kind }}' as kind, f.vessel_code, f.{{ since }} as opened_at, max(f.ordered_at) as last_at,
            min(f.line_distance_nm) filter (where f.is_used) as nearest_nm, null::numeric as silent_h
        from {{ ref('fct_vessel_fix') }} as f
        where f.{{ since }} is not null
        group by f.vessel_code, f.{{ since }}
        union all
    {% endfor %}
    {% for kind, flag in [('mat_ket_noi_6h', 'is_silent'), ('mat_ket_noi_10_ngay', 'is_silent_long')] %}
        select
            '{{ kind }}', h.vessel_code, min(h.hour_at), max(h.hour_at), min(h.line_distance_nm), max(h.silent_h)
        from {{ ref('fct_vessel_hour') }} as h
        where h.{{ flag }}
        -- Whatever was heard last names the silence that follows it.
        group by h.vessel_code, h.heard_at
        {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    t.kind,
    t.vessel_code,
    t.opened_at,
    n.closed_at,
    t.nearest_nm,
    t.silent_h,
    p.latitude,
    p.longitude,
    case t.kind
        when 'gan_ranh_gioi' then 'Còn cách ranh giới không quá ngưỡng và đang đi ra'
        when 'vuot_ranh_gioi' then 'Hai lần định vị liên tiếp bên kia ranh giới'
        when 'sai_vung' then 'Khai thác ngoài vùng được phép theo chiều dài tàu'
        when 'sos' then 'Thiết bị phát tín hiệu SOS'
        when 'mat_ket_noi_6h' then 'Không có bản tin từ 6 giờ khi ở trên biển'
        else 'Không có bản tin từ 10 ngày khi ở trên biển'
    end as reason_vi
from told as t
left join lateral (
    select case when t.kind like 'mat_ket_noi%' then (
        select h.hour_at from {{ ref('fct_vessel_hour') }} as h
        where h.vessel_code = t.vessel_code and h.hour_at > t.last_at
        order by h.hour_at
        limit 1
    ) else (
        select f.ordered_at from {{ ref('fct_vessel_fix') }} as f
        where f.vessel_code = t.vessel_code and f.ordered_at > t.last_at
        order by f.ordered_at
        limit 1
    ) end as closed_at
) as n on true
left join lateral (
    select f.latitude, f.longitude from {{ ref('fct_vessel_fix') }} as f
    where f.vessel_code = t.vessel_code and f.ordered_at <= t.opened_at and f.is_used
    order by f.ordered_at desc
    limit 1
) as p on true
