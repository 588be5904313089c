-- Silences of more than a quarter of an hour, those going on included. A late file shortens or removes its own.
select
    {{ outlet_columns() }},
    g.last_heard_at,
    g.resumed_at,
    g.gap_minutes,
    {{ silence_in_words('g.gap_minutes') }} as gap_class_vi,
    (g.resumed_at is null) as is_open,
    case when g.resumed_at is null then 'Đang mất' else 'Đã có lại' end as state_vi
from (
    select station_code, last_heard_at, resumed_at, gap_minutes from {{ ref('fct_discharge_gap') }}
    where is_gap
    union all
    select station_code, last_reading_at, null, {{ minutes_between('last_reading_at', 'now()') }}
    from {{ ref('dim_discharge_outlet') }}
    where now() - last_reading_at > interval '{{ var("connection_gap_minutes") }} minutes'
) as g
inner join {{ ref('dim_discharge_outlet') }} as o on g.station_code = o.station_code
