-- The source's units as it said them last.
select
    r.source_unit_code,
    r.unit_name as source_unit_name,
    r.identifier,
    r.catalog,
    {{ normalised_name("regexp_replace(r.unit_name, '\\s*\\(.*\\)\\s*$', '')") }} as name_key
from ({{ newest_record(source('raw_public_services', 'unit'), ['source_unit_code']) }}) as r
