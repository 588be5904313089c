-- Every published version of every reading, in the parameter's unit. An incremental model filters by batch_id, which reaches
-- the raw table's index.
select
    r.station_code,
    r.parameter,
    r.measured_at,
    r.value as value_sent,
    r.unit_raw as unit_sent,
    coalesce(p.unit, u.unit) as unit,
    trim_scale(r.value * coalesce(f.factor, 1)) as value,
    (p.parameter is not null) as is_parameter_known,
    (f.factor is not null) as is_unit_known,
    coalesce(nullif(r.device_status, ''), '00') as device_status,
    r._loaded_at as loaded_at,
    r._source_row as source_row,
    b.publish_seq,
    r._batch_id as batch_id
from {{ source('raw_industrial_discharge', 'reading') }} as r
inner join {{ source('ops', 'load_batch') }} as b on r._batch_id = b.batch_id
left join {{ ref('discharge_parameter') }} as p on r.parameter = p.parameter
-- The registry corrects an outlet whose logger names the wrong unit.
left join {{ ref('discharge_outlet_parameter') }} as o
    on
        r.station_code = o.outlet_code
        and r.parameter = o.parameter
        and r.measured_at >= {{ day_start('o.effective_from') }}
        and r.measured_at < {{ day_start('o.effective_to') }}
cross join lateral (
    select {{ unit_spelling("coalesce(o.unit_override, r.unit_raw, '')") }} as unit
) as u
left join {{ ref('discharge_unit_conversion') }} as f
    on p.unit = f.unit and u.unit = f.unit_sent and f.parameter in ('*', r.parameter)
where b.status = 'published'
