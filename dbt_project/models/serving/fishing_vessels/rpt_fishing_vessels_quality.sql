-- Messages received per day and unit: used, and not used by reason. Nothing disappears uncounted.
select
    {{ local_day('f.received_at') }} as received_on,
    d.unit_code,
    coalesce(f.fault, 'dung_duoc') as fault,
    coalesce(r.fault_name_vi, 'Dùng được') as fault_name,
    count(*) as message_count,
    count(distinct f.vessel_code) as vessel_count,
    count(*) filter (where f.is_device_mismatch) as mismatch_count,
    count(*) filter (where not f.is_number_readable) as unreadable_count
from {{ ref('fct_vessel_fix') }} as f
inner join {{ ref('dim_vessel') }} as d on f.vessel_code = d.vessel_code
left join {{ ref('vessel_fault') }} as r on f.fault = r.fault
group by {{ local_day('f.received_at') }}, d.unit_code, f.fault, r.fault_name_vi
