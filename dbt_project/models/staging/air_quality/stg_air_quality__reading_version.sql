-- Every published version of every reading. An incremental model filters by batch_id, which reaches the raw table's index.
select
    r.station_code,
    r.parameter,
    r.measured_at,
    r.value as value_sent,
    r.unit_raw as unit_sent,
    u.unit,
    trim_scale(r.value * coalesce(f.factor_to_ug_m3, 1)) as value,
    (p.parameter is not null) as is_parameter_known,
    (not coalesce(p.is_pollutant, false) or f.factor_to_ug_m3 is not null) as is_unit_known,
    coalesce(nullif(r.device_status, ''), '00') as device_status,
    r._loaded_at as loaded_at,
    r._source_row as source_row,
    b.publish_seq,
    r._batch_id as batch_id
from {{ source('raw_air_quality', 'reading') }} as r
inner join {{ source('ops', 'load_batch') }} as b on r._batch_id = b.batch_id
left join {{ ref('air_parameter') }} as p on r.parameter = p.parameter
-- The registry corrects a station whose header names the wrong unit.
left join {{ ref('air_station_parameter') }} as s
    on
        r.station_code = s.station_code
        and r.parameter = s.parameter
        and r.measured_at >= {{ day_start('s.effective_from') }}
        and r.measured_at < {{ day_start('s.effective_to') }}
-- µg/Nm³, ug/m^3 and UG/M3 are one unit: normal cubic metres at 25 °C are what the limits are written in.
cross join lateral (
    select
        case
            when p.is_pollutant then {{ unit_spelling('coalesce(s.unit_override, r.unit_raw)') }}
            else coalesce(p.unit, r.unit_raw)
        end as unit
) as u
left join {{ ref('air_unit_conversion') }} as f
    on p.is_pollutant and u.unit = f.unit and f.parameter in ('*', r.parameter)
where b.status = 'published'
