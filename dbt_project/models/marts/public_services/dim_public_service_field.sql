{{ config(materialized='view') }}
-- Fields of procedures under the name that was said last.
select distinct on (field_code) field_code, field_name from {{ ref('fct_public_service_dossier') }}
order by field_code, changed_at desc
