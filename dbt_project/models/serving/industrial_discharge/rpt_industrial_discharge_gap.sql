-- Silences of more than a quarter of an hour, those going on included. A late file shortens or removes its own.
select
    {{ outlet_columns() }},
    g.last_heard_at,
    g.resumed_at,
    g.gap_minutes,
    c.class_vi as gap_class_vi,
    (g.resumed_at is null) as is_open,
    case when g.resumed_at is null then 'Đang mất' else 'Đã có lại' end as state_vi
from (
    select station_code, last_heard_at, resumed_at, gap_minutes, resumed_at as until_at from {{ ref('fct_discharge_gap') }}
    where is_gap
    union all
    select station_code, last_reading_at, null, {{ minutes_between('last_reading_at', this_moment()) }}, {{ this_moment() }}
    from {{ ref('dim_discharge_outlet') }}
) as g
inner join {{ ref('dim_discharge_outlet') }} as o on g.station_code = o.station_code
{{ join_silence('g.last_heard_at', 'g.until_at') }}
where c.is_gap
