-- What an outlet may discharge: the permit's own figures (GPMT), or C · Kq · Kf for waste water and C · Kp · Kv for flue gas
-- where the standard lets the parameter be multiplied (not temperature, colour, pH). A row holds while permit, standard,
-- coefficients and registry all do. An outlet whose coefficient is not known has no limit rather than a wrong one.
with assigned as (
    select
        l.outlet_code as station_code,
        l.parameter,
        l.source,
        coalesce(n.limit_min, l.limit_min) as limit_min,
        coalesce(n.limit_max, l.limit_max) as limit_max,
        coalesce(n.has_coefficient, false) as has_coefficient,
        l.o2_reference_pct,
        o.medium,
        o.receiving_kind,
        o.receiving_size,
        o.discharge_rate,
        o.gas_zone,
        greatest(l.effective_from, n.effective_from, o.effective_from) as effective_from,
        least(l.effective_to, n.effective_to, o.effective_to) as effective_to,
        concat_ws('; ', n.citation, l.citation) as citation
    from {{ ref('discharge_limit') }} as l
    inner join {{ ref('discharge_outlet') }} as o
        on
            l.outlet_code = o.outlet_code
            and l.effective_from < o.effective_to
            and l.effective_to > o.effective_from
    left join {{ ref('discharge_norm') }} as n
        on
            l.norm_code = n.norm_code
            and l.parameter = n.parameter
            and l.effective_from < n.effective_to
            and l.effective_to > n.effective_from
    where l.source = 'GPMT' or n.norm_code is not null
)

select
    a.station_code,
    a.parameter,
    a.source,
    a.o2_reference_pct,
    case when a.has_coefficient then trim_scale(k_place.value * k_rate.value) else 1 end as coefficient,
    a.limit_min,
    trim_scale(a.limit_max * case when a.has_coefficient then k_place.value * k_rate.value else 1 end) as limit_max,
    greatest(
        a.effective_from, case when a.has_coefficient then greatest(k_place.effective_from, k_rate.effective_from) end
    ) as effective_from,
    least(
        a.effective_to, case when a.has_coefficient then least(k_place.effective_to, k_rate.effective_to) end
    ) as effective_to,
    a.citation
from assigned as a
-- Kq by the receiving water, Kv by the zone.
left join {{ ref('discharge_coefficient') }} as k_place
    on
        a.has_coefficient
        and (
            a.medium = 'water' and k_place.coefficient = 'receiving' and a.receiving_kind = k_place.context
            or a.medium = 'gas' and k_place.coefficient = 'zone' and a.gas_zone = k_place.context
        )
        and coalesce(a.receiving_size, 0) > k_place.size_above
        and coalesce(a.receiving_size, 0) <= k_place.size_upto
-- Kf and Kp by how much is discharged.
left join {{ ref('discharge_coefficient') }} as k_rate
    on
        a.has_coefficient
        and k_rate.coefficient = 'rate'
        and a.medium = k_rate.context
        and a.discharge_rate > k_rate.size_above
        and a.discharge_rate <= k_rate.size_upto
where not a.has_coefficient or k_place.value is not null and k_rate.value is not null
