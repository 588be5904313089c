{{ config(
    unique_key=['fix_id'],
    indexes=keyed(['fix_id'], [['vessel_code', 'ordered_at'], ['device_code'], ['received_at']]),
    meta={'reads': ['published']},
    post_hook=["{{ record_newest_data('max(received_at)') }}"]
) }}
-- Messages that are new, and those of devices that the registry now gives to another vessel.
with batch as (
    select batch_id from {{ source('ops', 'load_batch') }}
    where domain = 'fishing_vessels' and status = 'published' and publish_seq > {{ since('published') }}
),

touched as (
    select p.message_id from {{ source('raw_fishing_vessels', 'position') }} as p
    where p._batch_id in (select batch_id from batch)
    {% if is_increment() %}
        union
        select k.fix_id from {{ this }} as k
        where k.device_code in (
            select d.device_code from {{ ref('stg_fishing_vessels__device') }} as d
            where d.publish_seq > {{ since('published') }}
            union
            -- A device that the new record no longer names.
            select btrim(o.item ->> 'maThietBi') from {{ source('raw_fishing_vessels', 'vessel') }} as v
            cross join lateral jsonb_array_elements(
                case when jsonb_typeof(v.devices) = 'array' then v.devices else '[]'::jsonb end
            ) as o (item)
            where v.vessel_id in (
                select n.vessel_id from {{ source('raw_fishing_vessels', 'vessel') }} as n
                where n._batch_id in (select batch_id from batch)
            )
        )
    {% endif %}
),

message as (
    {{ newest_record(
        '(select q.* from ' ~ source('raw_fishing_vessels', 'position')
        ~ ' as q where q.message_id in (select t.message_id from touched as t))', ['message_id']
    ) }}
),

device as materialized (select * from {{ ref('stg_fishing_vessels__device') }}),

-- The registry says whose device it is; the number that comes with the message stands where the registry is silent.
named as materialized (
    select
        m.message_id as fix_id,
        coalesce(
            d.vessel_code, n.registration, nullif(btrim(m.registration_sent), ''), m.device_code, m.message_id
        ) as vessel_code,
        m.registration_sent,
        n.registration is not null as is_number_readable,
        coalesce(d.vessel_code <> n.registration, false) as is_device_mismatch,
        m.device_code,
        m.measured_at,
        -- A source whose clock is ahead has received nothing before we have.
        least(m.received_at, m._loaded_at) as received_at,
        m.latitude::double precision as latitude,
        m.longitude::double precision as longitude,
        m.speed_kn::double precision as speed_kn,
        m.course_deg::double precision as course_deg,
        upper(btrim(coalesce(m.alarm, ''))) = 'SOS' as is_sos,
        {{ local_day('least(m.received_at, m._loaded_at)') }} as day
    from message as m
    cross join lateral (select {{ registration_number('m.registration_sent') }} as registration) as n
    left join lateral (
        select c.vessel_code from device as c
        where
            c.device_code = btrim(m.device_code)
            and coalesce(m.measured_at, m.received_at) >= c.valid_from
            and coalesce(m.measured_at, m.received_at) < c.valid_to
        order by c.valid_from desc, c.vessel_code
        limit 1
    ) as d on true
),

parameter as materialized ({{ vessel_parameters('named') }}),

judged as materialized (
    select
        n.*,
        p.gps_accuracy_nm,
        case
            when n.measured_at is null then 'khong_thoi_gian'
            when n.measured_at > n.received_at + p.future_tolerance_h * interval '1 hour' then 'tuong_lai'
            when n.measured_at < n.received_at - p.most_late_h * interval '1 hour' then 'qua_cu'
            when n.latitude is null or n.longitude is null then 'khong_toa_do'
            when n.latitude = 0 and n.longitude = 0 then 'toa_do_khong'
            when abs(n.latitude) > 90 or abs(n.longitude) > 180 then 'toa_do_sai'
        end as fault
    from named as n
    inner join parameter as p on n.day = p.day
),

-- Places that can be computed with; a null place is on no side of anything.
placed as (
    select
        j.*,
        case when fault is null then latitude end as plain_latitude,
        case when fault is null then longitude end as plain_longitude
    from judged as j
),

-- Computed once per place: the planner would otherwise do it anew for every stretch of every line.
spaced as materialized (select j.*, {{ in_space('j.plain_latitude', 'j.plain_longitude') }} from placed as j),

segment as materialized (select * from {{ ref('stg_fishing_vessels__line_segment') }}),

extent as materialized (
    select distinct line_code, effective_from, effective_to, north_latitude, south_latitude from segment
),

port as materialized (
    select o.*, {{ in_space('o.latitude', 'o.longitude', 'o') }} from {{ ref('vessel_port') }} as o
)

select
    p.fix_id,
    p.vessel_code,
    p.registration_sent,
    p.is_number_readable,
    p.is_device_mismatch,
    p.device_code,
    p.measured_at,
    p.received_at,
    case when p.fault in ('khong_thoi_gian', 'tuong_lai', 'qua_cu') then p.received_at else p.measured_at end as ordered_at,
    p.latitude,
    p.longitude,
    p.speed_kn,
    p.course_deg,
    p.is_sos,
    p.fault,
    case
        when l.is_beyond_end or p.plain_latitude > e.north_latitude or p.plain_latitude < e.south_latitude then null
        else -sign(l.offset_m) * l.distance_nm
    end as line_distance_nm,
    case
        when i.is_beyond_end or o.is_beyond_end then null
        when i.offset_m < 0 then 'ven_bo'
        when o.offset_m < 0 then 'long'
        when o.offset_m >= 0 then 'khoi'
    end as zone_code,
    case when h.distance_nm * 1852 <= h.radius_m then h.port_code end as port_code,
    case when (h.distance_nm - p.gps_accuracy_nm) * 1852 <= h.radius_m then h.port_code end as near_port_code,
    {{ run_seq() }} as run_seq
from spaced as p
left join extent as e
    on e.line_code = 'vinh_bac_bo' and p.day >= e.effective_from and p.day < e.effective_to
{% for alias, line in [('l', 'vinh_bac_bo'), ('i', 'tuyen_bo'), ('o', 'tuyen_long')] %}
    left join lateral ({{ nearest_stretch('segment', line, 'p.day') }}) as {{ alias }} on p.fault is null
{% endfor %}
left join lateral (
    select q.port_code, q.radius_m, {{ arc_nm(chord_m('p.', 'q.o')) }} as distance_nm
    from port as q
    where p.day >= q.effective_from and p.day < q.effective_to
    order by {{ chord_m('p.', 'q.o') }} - q.radius_m
    limit 1
) as h on p.fault is null
