{{ config(
    unique_key=['station_code', 'measured_at', 'parameter'],
    indexes=keyed(['station_code', 'measured_at', 'parameter']),
    meta={'reads': ['published']}
) }}
-- Readings with their quality flags (macro flagged_readings); PM2.5 above PM10 is air's own: shown, no reason to erase.
with flagged as (
    {{ flagged_readings(
        'air_quality', ref('stg_air_quality__reading_version'), ref('air_parameter'), ref('stg_air_quality__station')
    ) }}
)

select
    *,
    coalesce(
        device_status = '00' and parameter = 'PM2.5'
        and value > max(value) filter (where parameter = 'PM10' and device_status = '00')
            over (partition by station_code, measured_at),
        false
    ) as is_pm25_above_pm10
from flagged
