-- Days by unit, field, commune and channel, under the names of that day: what came and went, and what stood open at its end.
select
    f.day,
    f.unit_code,
    coalesce(u.unit_name, 'Chưa rõ đơn vị') as unit_name,
    coalesce(d.field_name_vi, 'Chưa rõ lĩnh vực') as field_name,
    f.commune_code,
    coalesce(c.unit_name, 'Chưa rõ địa bàn') as commune_name,
    coalesce(h.channel_name_vi, 'Chưa rõ kênh') as channel_name,
    f.received_count,
    f.answered_count,
    f.answered_in_time_count,
    f.answered_late_count,
    f.rejected_count,
    f.duplicate_count,
    f.reopened_count,
    f.transferred_count,
    f.open_count,
    f.overdue_count,
    f.near_due_count,
    f.is_closed
from {{ ref('fct_citizen_feedback_daily') }} as f
left join {{ ref('dim_unit_today') }} as u on f.unit_code = u.unit_code
left join {{ ref('dim_unit_today') }} as c on f.commune_code = c.unit_code
left join lateral {{
    meaning_on(ref('feedback_field'), 'field_code', ['field_name_vi'], 'f.field_code', 'f.day')
}} as d on true
left join lateral {{
    meaning_on(ref('feedback_channel'), 'channel_code', ['channel_name_vi'], 'f.channel_code', 'f.day')
}} as h on true
