-- Invariants of the last three days (older rows were checked when they were new): what is beyond its limit has a ratio above
-- 1 and nothing else has, and a device that calibrates or reports an error is never held against a limit.
select station_code, measured_at, parameter
from {{ ref('int_industrial_discharge__reading') }}
where
    measured_at > now() - interval '3 days'
    and (
        is_exceeded and ratio < 1
        or not is_exceeded and ratio > 1
        or device_status <> '00' and (is_exceeded or ratio is not null or value_compared is not null)
        or ratio < 0
    )
