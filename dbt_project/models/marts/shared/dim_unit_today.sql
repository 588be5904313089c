{{ config(materialized='lasting_view') }}
-- Every unit under its newest name; a unit that has ended keeps its row, so that old figures keep a name.
select distinct on (unit_code)
    *,
    {{ today() }} <@ daterange(valid_from, valid_to) as is_current
from {{ ref('dim_unit') }}
order by unit_code, valid_from desc
