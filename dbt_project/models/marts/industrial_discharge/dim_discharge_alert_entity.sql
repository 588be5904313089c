{{ config(materialized='view') }}
-- Outlets, and each of their limited parameters, as messages call them.
with limited as (
    select distinct station_code, parameter from {{ ref('stg_industrial_discharge__limit') }}
)

select
    d.station_code as entity_id,
    d.outlet_name as entity_name,
    d.unit_code,
    d.longitude,
    d.latitude
from {{ ref('dim_discharge_outlet') }} as d
where d.station_code in (select station_code from limited)
union all
select
    l.station_code || '/' || l.parameter as entity_id,
    d.outlet_name || ', ' || p.parameter_name_vi as entity_name,
    d.unit_code,
    d.longitude,
    d.latitude
from limited as l
inner join {{ ref('dim_discharge_outlet') }} as d on l.station_code = d.station_code
inner join {{ ref('discharge_parameter') }} as p on l.parameter = p.parameter
