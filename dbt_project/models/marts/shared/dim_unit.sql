{{ config(materialized='lasting_view') }}
-- Units with the days on which they exist: join on the code and on the day of what happened.
select
    u.code as unit_code,
    u.name_vi as unit_name,
    {{ normalised_name('u.name_vi') }} as name_key,
    u.kind as unit_kind,
    case u.kind
        when 'province' then 'Tỉnh'
        when 'department' then 'Sở, ban, ngành'
        when 'agency' then 'Cơ quan cấp tỉnh'
        when 'centre' then 'Trung tâm'
        when 'ward' then 'Phường'
        when 'commune' then 'Xã'
    end as unit_kind_vi,
    u.parent_code,
    lower(u.valid) as valid_from,
    coalesce(upper(u.valid), 'infinity'::date) as valid_to,
    c.longitude,
    c.latitude
from {{ source('people', 'org_unit') }} as u
left join {{ ref('commune') }} as c on u.code = c.commune_code
