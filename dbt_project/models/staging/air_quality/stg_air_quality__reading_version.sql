-- Every published version of every reading (macro reading_versions).
{% call reading_versions(
    'air_quality', ref('air_parameter'), unit='u.unit', factor='f.factor_to_ug_m3',
    is_unit_known='not coalesce(p.is_pollutant, false) or f.factor_to_ug_m3 is not null'
) %}
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
{% endcall %}
