-- Where an hour's numbers come from: every reading with its flags, its batch, and the line of the file that brought it.
-- For engineers who follow one hour of one station; both joins go through keys, whatever the length of the history.
select
    i.station_code,
    i.measured_at,
    i.hour_ending,
    i.parameter,
    i.value_sent,
    i.unit_sent,
    i.value,
    i.device_status,
    i.is_valid,
    concat_ws(
        ', ',
        case when i.device_status = '01' then 'đang hiệu chuẩn' end,
        case when i.device_status = '02' then 'thiết bị báo lỗi' end,
        case when not i.is_parameter_known then 'thông số lạ' end,
        case when not i.is_unit_known then 'đơn vị lạ' end,
        case when i.is_future then 'đồng hồ trạm sai' end,
        case when i.is_negative then 'giá trị âm' end,
        case when i.is_out_of_range then 'ngoài dải đo' end,
        case when i.is_stuck then 'đứng yên' end,
        case when i.is_spike then 'nhảy vọt' end,
        case when i.is_pm25_above_pm10 then 'PM2.5 lớn hơn PM10' end,
        case when i.is_sensor_fault then 'cảm biến hỏng' end
    ) as flags_vi,
    i.batch_id,
    r.source_uri,
    r.source_row,
    i.loaded_at
from {{ ref('int_air_quality__reading') }} as i
left join lateral (
    select
        s._source_uri as source_uri,
        s._source_row as source_row
    from {{ source('raw_air_quality', 'reading') }} as s
    where
        s.measured_at = i.measured_at
        and s.station_code = i.station_code
        and s.parameter = i.parameter
        and s._batch_id = i.batch_id
    order by s._source_row desc
    limit 1
) as r on true
