{{ config(
    unique_key=['station_code', 'parameter', 'averaging_period', 'period_end'],
    indexes=keyed(['station_code', 'parameter', 'averaging_period', 'period_end'], [['period_end'], ['is_exceeded']]),
    meta={'reads': ['int_air_quality__pollutant_hourly', 'int_air_quality__pollutant_daily']},
    post_hook=["delete from {{ this }} where not is_exceeded"]
) }}
-- Means above the limit of QCVN 05 in force. A row that a correction brings back under the limit is emitted once more as not
-- exceeded, and the post-hook removes it.
with daily as (
    select station_code, parameter, day, mean_24h_ug_m3 from {{ ref('int_air_quality__pollutant_daily') }}
    where run_seq > {{ since('int_air_quality__pollutant_daily') }}
),

year as (
    select station_code, parameter, date_trunc('year', day)::date as starts_on from daily
    group by station_code, parameter, date_trunc('year', day)::date
),

mean as (
    select h.station_code, h.parameter, g.averaging_period, h.hour_ending as period_end, g.value_ug_m3,
        {{ civil_day('h.hour_ending') }} as valid_on
    from {{ ref('int_air_quality__pollutant_hourly') }} as h
    cross join lateral (values ('1h', h.mean_ug_m3), ('8h', h.mean_8h_ug_m3)) as g (averaging_period, value_ug_m3)
    where h.run_seq > {{ since('int_air_quality__pollutant_hourly') }}
    union all
    select station_code, parameter, '24h', {{ day_start('day + 1') }}, mean_24h_ug_m3, day from daily
    union all
    -- The annual mean is the mean of the daily means, from the day on which enough of the year is there.
    select
        y.station_code, y.parameter, 'year', {{ day_start("(y.starts_on + interval '1 year')::date") }},
        case when d.day_count >= 365 * {{ var('completeness_share') }} then {{ exact('d.mean') }} end,
        y.starts_on
    from year as y
    cross join lateral (
        select avg(t.mean_24h_ug_m3) as mean, count(t.mean_24h_ug_m3) as day_count
        from {{ ref('int_air_quality__pollutant_daily') }} as t
        where
            t.station_code = y.station_code and t.parameter = y.parameter
            and t.day >= y.starts_on and t.day < y.starts_on + interval '1 year'
    ) as d
),

compared as (
    select
        m.station_code, m.parameter, m.averaging_period, m.period_end, m.value_ug_m3, l.limit_ug_m3, l.citation,
        coalesce(m.value_ug_m3 > l.limit_ug_m3, false) as is_exceeded
    from mean as m
    inner join {{ ref('air_limit') }} as l
        on
            m.parameter = l.parameter
            and m.averaging_period = l.averaging_period
            and m.valid_on >= l.effective_from
            and m.valid_on < l.effective_to
)

select c.*, {{ run_seq() }} as run_seq
from compared as c
{% if is_increment() %}
    left join {{ this }} as k
        on
            c.station_code = k.station_code
            and c.parameter = k.parameter
            and c.averaging_period = k.averaging_period
            and c.period_end = k.period_end
    where c.is_exceeded or k.station_code is not null
{% else %}
    where c.is_exceeded
{% endif %}
