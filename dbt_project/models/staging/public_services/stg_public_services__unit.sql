-- The names that the source gave its units, each from the day on which we heard it first; the first one from ever on.
with said as (
    select
        v.source_unit_code,
        v.unit_name,
        case when v.version_no > 1 then {{ local_day('v._loaded_at') }} else '-infinity'::date end as named_from,
        lag(v.unit_name) over (partition by v.source_unit_code order by v.version_no) as name_before,
        v.version_no
    from ({{ record_versions(source('raw_public_services', 'unit'), ['source_unit_code']) }}) as v
)

-- Of several names that were said on one day the last one counts.
select distinct on (s.source_unit_code, s.named_from)
    s.source_unit_code,
    s.unit_name as source_unit_name,
    {{ normalised_name("regexp_replace(s.unit_name, '\\s*\\(.*\\)\\s*$', '')") }} as name_key,
    s.named_from
from said as s
where s.unit_name is distinct from s.name_before
order by s.source_unit_code, s.named_from, s.version_no desc
