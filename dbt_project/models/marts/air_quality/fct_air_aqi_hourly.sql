{{ config(
    unique_key=['station_code', 'hour_ending'],
    indexes=keyed(['station_code', 'hour_ending'], [['hour_ending']]),
    meta={'reads': ['int_air_quality__hourly_mean'], 'newest': 'hour_ending'}
) }}
-- AQI_h to the letter of QĐ 1459 (doc block aqi_hourly). Closed hours only: a running hour has no index yet.
with touched as (
    select station_code, hour_ending from {{ ref('int_air_quality__hourly_mean') }}
    where run_seq > {{ since('int_air_quality__hourly_mean') }}
    {% if is_increment() %}
        union
        -- Hours that were still running at the last build and that the clock may have closed since.
        select station_code, hour_ending from {{ ref('int_air_quality__hourly_mean') }}
        where hour_ending > {{ newest('timestamptz') }} - interval '3 hours'
    {% endif %}
),

-- An hour lives on in the Nowcast of the eleven that follow it.
target as (
    select distinct t.station_code, t.hour_ending + k.step * interval '1 hour' as hour_ending
    from touched as t
    cross join generate_series(0, 11) as k (step)
),

-- c1 may be missing, so an hour without readings right after one with readings has an index too.
closed as (
    select t.station_code, t.hour_ending
    from target as t
    where
        exists (
            select 1 from {{ ref('int_air_quality__hourly_mean') }} as m
            where
                m.station_code = t.station_code
                and m.hour_ending in (t.hour_ending, t.hour_ending - interval '1 hour')
        )
        and (
            {{ closed_by_clock('t.hour_ending') }}
            or exists (
                select 1 from {{ ref('int_air_quality__hourly_mean') }} as m
                where
                    m.station_code = t.station_code
                    and m.hour_ending >= t.hour_ending and m.last_measured_at >= t.hour_ending
            )
        )
),

particle as (
    select
        c.station_code,
        c.hour_ending,
        m.parameter,
        k.i,
        m.mean,
        min(m.mean) over hours as c_min,
        max(m.mean) over hours as c_max
    from closed as c
    cross join generate_series(1, 12) as k (i)
    inner join {{ ref('int_air_quality__hourly_mean') }} as m
        on
            c.station_code = m.station_code
            and c.hour_ending - (k.i - 1) * interval '1 hour' = m.hour_ending
    where m.parameter in ('PM2.5', 'PM10') and m.mean is not null
    window hours as (partition by c.station_code, c.hour_ending, m.parameter)
),

-- w* = Cmin/Cmax; above 1/2 the normalised sum, otherwise the sum with (1/2)^i as the decision prints it, not normalised.
weighted as (
    select
        *,
        case when c_max > 0 then greatest(round(c_min, 30) / c_max, 0.5) end as w,
        coalesce(c_max > 0 and 2 * c_min > c_max, false) as is_normalised
    from particle
),

nowcast as (
    select
        station_code,
        hour_ending,
        parameter,
        count(*) as hour_count,
        bool_or(i = 1) as has_current_hour,
        case
            when count(*) filter (where i <= 3) < 2 then null
            when max(c_max) = 0 then 0
            when bool_or(is_normalised) then {{ exact('sum(power(w, i - 1) * mean) / sum(power(w, i - 1))') }}
            else {{ exact('sum(power(0.5, i) * mean)') }}
        end as concentration
    from weighted
    group by station_code, hour_ending, parameter
),

current_hour as (
    select
        c.station_code,
        c.hour_ending,
        {% for parameter, column in [
            ('PM2.5', 'pm25'), ('PM10', 'pm10'), ('O3', 'o3'), ('NO2', 'no2'), ('SO2', 'so2'), ('CO', 'co')
        ] %}
            max(m.mean) filter (where m.parameter = '{{ parameter }}') as {{ column }}_ug_m3,
        {% endfor %}
        coalesce(sum(m.received_count), 0) as received_count,
        round(
            100.0 * sum(least(m.valid_count, m.expected_count)) filter (where m.is_pollutant)
            / nullif(sum(m.expected_count) filter (where m.is_pollutant), 0), 1
        ) as completeness_pct,
        sum(m.calibrating_count) filter (where m.parameter in ('PM2.5', 'PM10')) as calibrating_count,
        sum(m.device_error_count) filter (where m.parameter in ('PM2.5', 'PM10')) as device_error_count,
        max(m.last_measured_at) as last_measured_at
    from closed as c
    left join {{ ref('int_air_quality__hourly_mean') }} as m
        on c.station_code = m.station_code and c.hour_ending = m.hour_ending
    group by c.station_code, c.hour_ending
),

concentration as (
    select station_code, hour_ending, parameter, '24h' as averaging_period, concentration,
        {{ civil_day('hour_ending') }} as valid_on
    from nowcast
    where concentration is not null
    union all
    select h.station_code, h.hour_ending, g.parameter, '1h', g.concentration, {{ civil_day('h.hour_ending') }}
    from current_hour as h
    cross join lateral (
        values ('O3', h.o3_ug_m3), ('NO2', h.no2_ug_m3), ('SO2', h.so2_ug_m3), ('CO', h.co_ug_m3)
    ) as g (parameter, concentration)
    where g.concentration is not null
),

sub_index as ({{ sub_index('concentration', ['station_code', 'hour_ending']) }}),

indexed as ({{ index_of_pollutants('sub_index', ['station_code', 'hour_ending']) }})

select
    h.station_code,
    h.hour_ending,
    h.pm25_ug_m3,
    h.pm10_ug_m3,
    h.o3_ug_m3,
    h.no2_ug_m3,
    h.so2_ug_m3,
    h.co_ug_m3,
    n25.concentration as nowcast_pm25,
    n10.concentration as nowcast_pm10,
    i.aqi_pm25,
    i.aqi_pm10,
    i.aqi_o3,
    i.aqi_no2,
    i.aqi_so2,
    i.aqi_co,
    a.aqi,
    c.category_vi as aqi_category,
    case when a.aqi is not null then i.highest_parameter end as dominant_parameter,
    coalesce(n25.hour_count, 0) as nowcast_pm25_hour_count,
    coalesce(n10.hour_count, 0) as nowcast_pm10_hour_count,
    greatest(coalesce(n25.hour_count, 0), coalesce(n10.hour_count, 0)) as available_hour_count,
    coalesce(n25.has_current_hour, false) or coalesce(n10.has_current_hour, false) as has_current_hour,
    h.received_count,
    coalesce(h.completeness_pct, 0) as completeness_pct,
    {{ quality(
        'a.aqi is not null and (coalesce(n25.has_current_hour, false) or coalesce(n10.has_current_hour, false))', 'h'
    ) }} as quality,
    h.last_measured_at,
    {{ run_seq() }} as run_seq
from current_hour as h
left join indexed as i on h.station_code = i.station_code and h.hour_ending = i.hour_ending
left join nowcast as n25
    on h.station_code = n25.station_code and h.hour_ending = n25.hour_ending and n25.parameter = 'PM2.5'
left join nowcast as n10
    on h.station_code = n10.station_code and h.hour_ending = n10.hour_ending and n10.parameter = 'PM10'
-- No index without PM10 or PM2.5.
cross join lateral (select case when i.has_particles then i.highest end as aqi) as a
left join {{ ref('air_aqi_category') }} as c on a.aqi between c.aqi_from and c.aqi_to
