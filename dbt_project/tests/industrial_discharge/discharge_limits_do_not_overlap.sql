-- One limit per outlet, parameter and day: two permits in force at once would count every reading twice.
select a.station_code, a.parameter, a.effective_from, b.effective_from as also_from
from {{ ref('stg_industrial_discharge__limit') }} as a
inner join {{ ref('stg_industrial_discharge__limit') }} as b
    on
        a.station_code = b.station_code
        and a.parameter = b.parameter
        and a.effective_from <= b.effective_from
        and a.effective_to > b.effective_from
group by a.station_code, a.parameter, a.effective_from, b.effective_from
having count(*) > 1 or a.effective_from < b.effective_from
