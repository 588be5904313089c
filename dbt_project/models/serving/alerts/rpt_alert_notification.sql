-- Messages of the outbox as they stand now: which unit, by which channel, with what result. No address, no text, no name.
with unit as ({{ unit_names() }})

select
    o.outbox_id::text as outbox_id,
    o.created_at,
    o.channel,
    case o.channel
        when 'email' then 'Thư điện tử' when 'sms' then 'Tin nhắn SMS' when 'web' then 'Hộp thư trên cổng'
        when 'push' then 'Thông báo trình duyệt' when 'webhook' then 'Hệ thống khác (webhook)' else o.channel
    end as channel_label,
    coalesce(ro.name_vi, 'Ngoài tuyến') as route_name,
    coalesce(r.domain, 'ioc') as domain,
    c.unit_code,
    coalesce(u.name_vi, c.unit_code) as unit_name,
    o.level,
    cardinality(o.incident_ids)::integer as incident_count,
    {{ incident_code('i.incident_id') }} as incident_code,
    {{ portal_link("'/canh-bao/' || i.incident_id", incident_code('i.incident_id')) }} as incident_link,
    o.status,
    case o.status
        when 'queued' then 'Đang chờ' when 'sending' then 'Đang gửi' when 'accepted' then 'Cổng đã nhận'
        when 'delivered' then 'Đã đến nơi' when 'failed' then 'Không gửi được' when 'unknown' then 'Không rõ kết quả'
        else 'Không gửi nữa'
    end as status_label,
    (o.status in ('accepted', 'delivered')) as is_sent,
    (o.status in ('failed', 'unknown')) as is_lost,
    o.attempt_count,
    o.provider_code,
    o.accepted_at,
    o.finished_at,
    extract(epoch from o.accepted_at - o.created_at)::double precision as seconds_to_accept
from {{ source('notify', 'outbox') }} as o
left join {{ source('notify', 'route') }} as ro on o.route_id = ro.route_id
left join {{ source('people', 'contact') }} as c on o.contact_id = c.contact_id
left join unit as u on c.unit_code = u.code
left join {{ source('alert', 'incident') }} as i on o.incident_ids[1] = i.incident_id
left join {{ source('alert', 'rule') }} as r on i.rule_id = r.rule_id
