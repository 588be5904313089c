-- Until when all lists have been read: the reading that began longest ago among the newest ones of each list.
select min(l.listed_at) as read_until
from (
    select split_part(c.name, '#', 2) as list, max((c.value ->> 'listed_at')::timestamptz) as listed_at
    from {{ source('ops', 'cursor') }} as c
    where c.domain = 'documents' and c.name like 'source:%'
    group by split_part(c.name, '#', 2)
) as l
