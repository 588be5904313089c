-- Newest closed hour in which the station was heard; the lateral lookup reads a row or two, however long the history.
select
    s.station_code,
    s.station_name,
    s.commune_code,
    s.commune_name,
    s.latitude,
    s.longitude,
    s.is_registered,
    s.is_public,
    s.in_province,
    h.hour_ending,
    h.aqi,
    h.aqi_category,
    c.color_hex as aqi_color,
    c.health_advice_vi,
    h.dominant_parameter,
    h.pm25_ug_m3,
    h.pm10_ug_m3,
    h.o3_ug_m3,
    h.no2_ug_m3,
    h.so2_ug_m3,
    h.co_ug_m3,
    h.available_hour_count,
    s.last_reading_at,
    s.unit_code,
    round(extract(epoch from now() - s.last_reading_at) / 60)::bigint as data_age_minutes,
    h.quality,
    h.completeness_pct,
    case
        when h.station_code is null then 'Chưa có số liệu'
        when not s.is_registered then 'Trạm chưa đăng ký: tính với chu kỳ mặc định'
        when h.aqi is not null and not h.has_current_hour then 'AQI tính từ các giờ trước, giờ này thiếu số liệu bụi'
        when h.quality = 'calibrating' then 'Thiết bị đang hiệu chuẩn'
        when h.quality = 'device_error' then 'Thiết bị báo lỗi'
        when h.quality = 'insufficient' then 'Không đủ số liệu để tính AQI'
    end as note_vi
from {{ ref('dim_air_station') }} as s
left join lateral (
    select f.* from {{ ref('fct_air_aqi_hourly') }} as f
    where f.station_code = s.station_code and f.received_count > 0
    order by f.hour_ending desc
    limit 1
) as h on true
left join {{ ref('air_aqi_category') }} as c on h.aqi_category = c.category_vi
