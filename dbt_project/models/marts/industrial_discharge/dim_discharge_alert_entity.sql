{{ config(materialized='view') }}
-- Outlets and their limited parameters as messages call them.
select distinct
    l.station_code || '/' || l.parameter as entity_id,
    d.outlet_name || ', ' || p.parameter_name_vi as entity_name,
    d.unit_code,
    d.longitude,
    d.latitude
from {{ ref('stg_industrial_discharge__limit') }} as l
inner join {{ ref('dim_discharge_outlet') }} as d on l.station_code = d.station_code
inner join {{ ref('discharge_parameter') }} as p on l.parameter = p.parameter
