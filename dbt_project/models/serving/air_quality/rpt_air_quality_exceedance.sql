select
    f.station_code,
    s.station_name,
    f.parameter,
    f.averaging_period,
    f.period_end,
    f.value_ug_m3,
    f.limit_ug_m3,
    round(f.value_ug_m3 / f.limit_ug_m3, 4) as ratio,
    f.citation,
    p.parameter_name_vi,
    s.commune_code,
    s.unit_code,
    s.is_public,
    s.is_registered,
    case f.averaging_period
        when '1h' then '1 giờ' when '8h' then '8 giờ' when '24h' then '24 giờ' when 'year' then 'Năm'
        else f.averaging_period
    end as averaging_period_label
from {{ ref('fct_air_exceedance') }} as f
inner join {{ ref('dim_air_station') }} as s on f.station_code = s.station_code
inner join {{ ref('air_parameter') }} as p on f.parameter = p.parameter
where f.is_exceeded
