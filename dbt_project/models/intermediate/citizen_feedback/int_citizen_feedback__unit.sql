{{ config(incremental_strategy='refill') }}
-- Which unit is meant by what the source wrote (code, name, before or after the communes of 1/7/2025): by code; else by an
-- alias; else by name. A former commune with one successor is that one; with several, no share is known and a report cannot
-- be divided: no unit, and the candidates are named. Names are normalised once each: hence `materialized`,
-- and because nothing is known of the size of views.
with version as materialized (
    select
        report_code, version_no, unit_code_sent, unit_name_sent, commune_code_sent, commune_name_sent, is_before_communes
    from {{ ref('stg_citizen_feedback__report_version') }}
),

step as materialized (
    select distinct report_code, unit_code_sent, unit_name_sent from {{ ref('stg_citizen_feedback__step') }}
),

said as (
    select unit_code_sent, unit_name_sent, is_before_communes from version
    union
    select commune_code_sent, commune_name_sent, is_before_communes from version
    union
    select s.unit_code_sent, s.unit_name_sent, v.is_before_communes
    from step as s
    inner join version as v on s.report_code = v.report_code and v.version_no = 1
),

keyed as materialized (
    select *, {{ normalised_name('unit_name_sent') }} as name_key from said
    where coalesce(unit_code_sent, unit_name_sent) is not null
),

by_code as materialized (
    select unit_code as code, unit_code from {{ ref('dim_unit_today') }}
    where is_current
    union
    select old_code, min(unit_code) from {{ ref('bridge_unit') }}
    group by old_code
    having count(*) = 1
),

alias as materialized (
    select {{ normalised_name('alias') }} as name_key, min(unit_code) as unit_code from {{ ref('feedback_unit_alias') }}
    group by {{ normalised_name('alias') }}
),

by_name as materialized (
    select name_key, min(unit_code) as unit_code from {{ ref('dim_unit_today') }}
    where is_current
    group by name_key
    having count(*) = 1
),

former as materialized (
    select
        f.former_key as name_key,
        case when count(*) = 1 then min(f.unit_code) end as unit_code,
        string_agg(u.unit_name, ', ' order by u.unit_name) as candidates_vi
    from (select distinct former_key, unit_code from {{ ref('bridge_former_unit') }}) as f
    inner join {{ ref('dim_unit_today') }} as u on f.unit_code = u.unit_code
    group by f.former_key
),

matched as (
    select
        k.*,
        c.unit_code as code_unit,
        a.unit_code as alias_unit,
        n.unit_code as name_unit,
        f.unit_code as former_unit,
        f.candidates_vi,
        (f.name_key is not null and (k.is_before_communes or n.unit_code is null)) as is_former_name
    from keyed as k
    left join by_code as c on k.unit_code_sent = c.code
    left join alias as a on k.name_key = a.name_key
    left join by_name as n on k.name_key = n.name_key
    left join former as f on k.name_key = f.name_key
)

select
    unit_code_sent,
    unit_name_sent,
    is_before_communes,
    name_key,
    coalesce(code_unit, alias_unit, case when is_former_name then former_unit else name_unit end) as unit_code,
    case
        when code_unit is not null then 'code'
        when alias_unit is not null then 'alias'
        when is_former_name and former_unit is not null then 'former name'
        when is_former_name then 'several'
        when name_unit is not null then 'name'
        else 'unknown'
    end as matched_by,
    case when coalesce(code_unit, alias_unit) is null and is_former_name and former_unit is null then candidates_vi end
        as candidates_vi
from matched
