-- Every five-minute reading with its limit, its flags and the line of the file that brought it.
select
    {{ outlet_columns() }},
    i.parameter,
    coalesce(p.parameter_name_vi, i.parameter) as parameter_name_vi,
    p.unit_label,
    i.measured_at,
    i.value_sent,
    i.unit_sent,
    round(i.value, 4) as value_measured,
    i.o2_pct,
    round(i.value_compared, 4) as value,
    i.limit_min,
    i.limit_max,
    i.ratio,
    i.is_exceeded,
    i.device_status,
    concat_ws(
        ', ',
        case when i.device_status = '01' then 'đang hiệu chuẩn' end,
        case when i.device_status not in ('00', '01') then 'thiết bị báo lỗi' end,
        case when not i.is_parameter_known then 'thông số lạ' end,
        case when i.is_parameter_known and not i.is_unit_known then 'đơn vị lạ' end,
        case when i.is_future then 'đồng hồ trạm sai' end,
        case when i.is_negative then 'giá trị âm' end,
        case when i.is_out_of_range then 'ngoài dải đo' end,
        case when i.is_stuck then 'đứng yên' end,
        case when i.is_spike then 'nhảy vọt' end,
        case
            when i.is_oxygen_unusable and i.o2_device_status = '01' then 'đang hiệu chuẩn ôxy'
            when i.is_oxygen_unusable and i.o2_device_status <> '00' then 'thiết bị đo ôxy báo lỗi'
            when i.is_oxygen_unusable then 'ôxy không dùng được'
        end
    ) as flags_vi,
    i.batch_id
from {{ ref('int_industrial_discharge__reading') }} as i
inner join {{ ref('dim_discharge_outlet') }} as o on i.station_code = o.station_code
left join {{ ref('discharge_parameter') }} as p on i.parameter = p.parameter
