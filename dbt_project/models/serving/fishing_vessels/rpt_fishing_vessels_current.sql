-- The fleet as it stands: newest usable position, state, and how long nothing was heard, by the feed's own clock.
with feed as (
    select max(f.received_at) as as_of_at from {{ ref('int_fishing_vessels__fix') }} as f
),

state as (
    select
        d.*,
        t.as_of_at,
        u.ordered_at as measured_at, e.happened_at as called_at, u.latitude, u.longitude, u.speed_kn,
        u.course_deg, u.line_distance_nm, u.zone_code,
        w.ordered_at as heard_at, w.line_level, w.is_device_mismatch, w.registration_sent,
        w.wrong_zone_since is not null as is_wrong_zone,
        w.sos_since is not null as is_sos,
        -- The hour's figure stands while nothing newer was heard.
        case when h.heard_at = w.ordered_at then h.silent_h else 0 end as silent_h,
        coalesce(h.heard_at = w.ordered_at and h.is_silent, false) as is_silent,
        coalesce(h.heard_at = w.ordered_at and h.is_silent_long, false) as is_silent_long,
        case
            when e.happened_at > coalesce(u.ordered_at, '-infinity')
                then case when e.direction = 'vao' then coalesce(e.port_code, '?') end
            else u.port_code
        end as port_code
    from {{ ref('dim_vessel') }} as d
    cross join feed as t
    left join lateral (
        select f.* from {{ ref('fct_vessel_fix') }} as f
        where f.vessel_code = d.vessel_code
        order by f.ordered_at desc, f.received_at desc, f.fix_id desc
        limit 1
    ) as w on true
    left join lateral (
        select f.* from {{ ref('fct_vessel_fix') }} as f
        where f.vessel_code = d.vessel_code and f.is_used
        order by f.ordered_at desc, f.received_at desc, f.fix_id desc
        limit 1
    ) as u on true
    left join lateral (
        select n.* from {{ ref('stg_fishing_vessels__port_event') }} as n
        where n.vessel_code = d.vessel_code and n.happened_at <= t.as_of_at
        order by n.happened_at desc, n.event_id desc
        limit 1
    ) as e on true
    left join lateral (
        select k.* from {{ ref('fct_vessel_hour') }} as k
        where k.vessel_code = d.vessel_code and k.is_at_sea
        order by k.hour_at desc
        limit 1
    ) as h on true
),

judged as (
    select
        s.*,
        coalesce(s.measured_at, s.called_at) is not null and s.port_code is null as is_at_sea,
        case
            when s.is_sos then 'sos'
            when coalesce(s.measured_at, s.called_at) is null then 'chua_co_vi_tri'
            when s.line_level = 2 then 'vuot_ranh_gioi'
            when s.port_code is not null then 'trong_cang'
            when s.is_silent_long then 'mat_ket_noi_10_ngay'
            when s.is_silent then 'mat_ket_noi_6h'
            when s.line_level = 1 then 'gan_ranh_gioi'
            when s.is_wrong_zone then 'sai_vung'
            else 'tren_bien'
        end as state
    from state as s
)

select
    j.vessel_code,
    case
        when j.vessel_id is null then {{ escaped('j.vessel_code') }}
        else {{ item_link('fishing_vessels', 'j.vessel_id', 'j.vessel_code') }}
    end as vessel_link,
    j.state,
    b.state_name_vi as state_name,
    b.state_order,
    b.color_hex as state_color,
    j.is_at_sea,
    j.line_level = 2 as is_across,
    j.line_level = 1 and j.is_at_sea as is_near_line,
    j.is_wrong_zone and j.is_at_sea as is_wrong_zone,
    j.is_sos,
    j.is_silent and j.is_at_sea as is_silent,
    j.is_silent_long and j.is_at_sea as is_silent_long,
    case when j.is_at_sea then j.silent_h end as silent_h,
    j.heard_at,
    j.measured_at,
    j.latitude,
    j.longitude,
    {{ degrees_minutes('j.latitude', 'B') }} as latitude_text,
    {{ degrees_minutes('j.longitude', 'Đ') }} as longitude_text,
    j.speed_kn,
    j.course_deg,
    round(j.line_distance_nm::numeric, 2) as line_distance_nm,
    z.zone_name_vi as zone_name,
    coalesce(p.port_name_vi, j.port_code) as port_name,
    j.length_m,
    j.power_kw,
    j.gear,
    j.licence_until,
    j.owner_masked,
    j.owner_phone_masked,
    j.commune_name,
    j.is_registered,
    case
        when not j.is_number_readable then 'Số đăng ký không đọc được'
        when not j.is_registered then 'Không có trong sổ đăng ký'
        when j.is_device_mismatch then 'Thiết bị gửi số đăng ký của tàu khác'
    end as registration_note,
    j.as_of_at,
    j.unit_code
from judged as j
left join {{ ref('vessel_state') }} as b on j.state = b.state
left join {{ ref('vessel_zone_rule') }} as z
    on
        j.zone_code = z.zone_code
        and {{ local_day('j.measured_at') }} >= z.effective_from
        and {{ local_day('j.measured_at') }} < z.effective_to
left join {{ ref('vessel_port') }} as p
    on
        j.port_code = p.port_code
        and {{ local_day('j.heard_at') }} >= p.effective_from
        and {{ local_day('j.heard_at') }} < p.effective_to
