{{ config(
    unique_key=['source_unit_code'],
    indexes=keyed(['source_unit_code']),
    meta={'reads': ['published']},
    incremental_strategy='refill'
) }}
-- Whose unit is whose today. A single heir stands in for a unit of ours that has ended; one that was divided keeps what it
-- still has open, because a dossier cannot be divided: the source says to whom it goes.
select
    u.source_unit_code,
    u.source_unit_name,
    coalesce(b.unit_code, u.unit_code) as unit_code,
    u.matched_by,
    {{ run_seq() }} as run_seq
from {{ ref('int_public_services__unit') }} as u
left join (
    select x.old_code, min(x.unit_code) as unit_code from {{ ref('bridge_unit') }} as x
    group by x.old_code
    having count(*) = 1
) as b on u.unit_code = b.old_code
where {{ today() }} >= u.valid_from and {{ today() }} < u.valid_to
