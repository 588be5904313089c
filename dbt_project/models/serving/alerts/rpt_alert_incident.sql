-- Incidents as they stand now: the view reads the engine's tables.
with unit as ({{ unit_names() }}),

opened_case as (
    select incident_id, code from {{ source('sop', 'case_') }}
    where incident_id is not null
)

select
    i.incident_id::text as incident_id,
    {{ incident_code('i.incident_id') }} as incident_code,
    {{ portal_link("'/canh-bao/' || i.incident_id", incident_code('i.incident_id')) }} as incident_link,
    r.domain,
    coalesce(d.title_vi, r.domain) as domain_title,
    r.code as rule_code,
    r.title_vi as rule_title,
    i.kind,
    case i.kind when 'value' then 'Vượt ngưỡng' when 'nodata' then 'Mất dữ liệu' else 'Mất nguồn' end as kind_label,
    i.entity_id,
    coalesce(e.name_vi, i.entity_id) as entity_name,
    i.unit_code,
    coalesce(u.name_vi, i.unit_code, 'Toàn tỉnh') as unit_name,
    i.status,
    case when i.status = 'open' then 'Đang diễn ra' else 'Đã kết thúc' end as status_label,
    i.level,
    i.peak_level,
    'Cấp ' || i.peak_level as peak_level_label,
    i.opened_at,
    i.closed_at,
    {{ minutes_between('i.opened_at', 'coalesce(i.closed_at, now())') }} as duration_minutes,
    case i.close_reason
        when 'resolved' then 'Về dưới ngưỡng'
        when 'data_back' then 'Có lại dữ liệu'
        when 'retired' then 'Ngừng gửi số liệu'
        when 'rule_ended' then 'Quy tắc hết hiệu lực'
        when 'rule_disabled' then 'Quy tắc ngừng áp dụng'
        else i.close_reason
    end as close_reason,
    -- The value of a rule without a unit of measure is the code of a state: its words stand instead.
    case when r.unit_vi is not null then i.open_value::double precision end as open_value,
    case when r.unit_vi is not null then i.peak_value::double precision end as peak_value,
    coalesce(r.unit_vi, '') as value_unit,
    case
        when r.unit_vi is null then s.label_vi
        else trim(translate(trim_scale(round(i.peak_value, 2))::text, '.', ',') || ' ' || r.unit_vi)
    end as peak_value_label,
    i.ack_at,
    case when i.ack_at is not null then {{ minutes_between('i.recorded_at', 'i.ack_at') }} end as minutes_to_ack,
    (i.ack_at is not null) as was_acked,
    case when i.ack_at is not null then 'Đã nhận' else 'Chưa nhận' end as ack_label,
    c.code as case_code
from {{ source('alert', 'incident') }} as i
inner join {{ source('alert', 'rule') }} as r on i.rule_id = r.rule_id
left join {{ source('ref', 'domain') }} as d on r.domain = d.domain
left join {{ source('alerting', 'entity') }} as e on i.entity_type = e.entity_type and i.entity_id = e.entity_id
left join unit as u on i.unit_code = u.code
left join opened_case as c on i.incident_id = c.incident_id
left join lateral (
    select t.label_vi from {{ source('alert', 'threshold') }} as t
    where i.kind = 'value' and t.rule_version_id = i.rule_version_id and t.level = i.peak_level
    order by
        (t.scope_kind, t.scope_value) = ('entity', i.entity_id) desc, t.scope_kind = 'province' desc
    limit 1
) as s on true
