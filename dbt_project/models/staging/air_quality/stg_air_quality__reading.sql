-- The version of each reading that counts: the one read last. A filter on any of the three keys reaches the raw table.
select distinct on (station_code, parameter, measured_at)
    station_code,
    parameter,
    measured_at,
    value_sent,
    unit_sent,
    unit,
    value,
    is_parameter_known,
    is_unit_known,
    device_status,
    loaded_at,
    publish_seq,
    batch_id
from {{ ref('stg_air_quality__reading_version') }}
order by station_code, parameter, measured_at, batch_id desc, loaded_at desc, source_row desc
