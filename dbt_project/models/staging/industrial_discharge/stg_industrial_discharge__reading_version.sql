-- Every published version of every reading (macro reading_versions).
{% call reading_versions(
    'industrial_discharge', ref('discharge_parameter'), unit='coalesce(p.unit, u.unit)', factor='f.factor',
    is_unit_known='f.factor is not null'
) %}
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
{% endcall %}
