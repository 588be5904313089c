-- The serving tables of documents, filled for three lists and eight units, so that the dashboard can be tried without sources
-- and dbt. Same columns and types as dbt's contracts.
set role ioc_transformer;
set timezone = 'Asia/Ho_Chi_Minh';

create temporary table office as
select * from (values
    (0, 'SXD', 'Sở Xây dựng', 'Sở, ban, ngành'), (1, 'STC', 'Sở Tài chính', 'Sở, ban, ngành'),
    (2, 'SYT', 'Sở Y tế', 'Sở, ban, ngành'), (3, 'VPUB', 'Văn phòng UBND tỉnh', 'Sở, ban, ngành'),
    (4, '14797', 'Phường Hạc Thành', 'Phường'), (5, '16531', 'Phường Sầm Sơn', 'Phường'),
    (6, '15772', 'Xã Thiệu Hoá', 'Xã'), (7, '14845', 'Xã Mường Lát', 'Xã')
) as o (number, unit_code, unit_name, unit_kind);

create table serving.rpt_documents_document as
select
    d.kind,
    case d.kind when 'incoming' then 'Văn bản đến' when 'outgoing' then 'Văn bản đi' else 'Văn bản nội bộ' end as kind_label,
    'VB-' || n as document_id,
    n || '/UBND-KT' as code_number,
    n::text as register_number,
    '<a href="https://vanban.example/' || n || '">' || n || '/UBND-KT</a>' as item_link,
    'Công văn về việc báo cáo tiến độ ' || n as abstract,
    'Công văn'::text as document_type,
    'Bộ Tài chính'::text as counterpart,
    (array['Thường', 'Khẩn', 'Thượng khẩn', 'Hỏa tốc'])[1 + d.urgency] as urgency_label,
    d.urgency as urgency_level,
    o.unit_code,
    o.unit_name,
    o.unit_kind,
    'N*** V*** D***'::text as person_masked,
    d.registered_at,
    case when d.kind = 'incoming' then d.registered_at + d.forward_days * interval '1 day' end as forwarded_at,
    d.due_at,
    d.due_at as first_due_at,
    case when d.is_finished then least(now(), d.due_at + (n % 5 - 3) * interval '10 hours') end as finished_at,
    case when d.is_finished then 'Hoàn thành' else 'Đang xử lý' end as status_label,
    case
        when d.due_at is null then 'Không có hạn'
        when d.is_finished and n % 5 = 4 then 'Quá hạn đã xử lý'
        when d.is_finished then 'Đã xử lý đúng hạn'
        when d.due_at < now() then 'Quá hạn'
        when d.due_at <= now() + interval '24 hours' then 'Sắp đến hạn'
        else 'Trong hạn, đang xử lý'
    end as deadline_group,
    d.is_finished,
    coalesce(not d.is_finished and d.due_at < now(), false) as is_overdue,
    coalesce(not d.is_finished and d.due_at >= now() and d.due_at <= now() + interval '24 hours', false) as is_near_due,
    coalesce(d.is_finished and d.due_at is not null and n % 5 = 4, false) as is_overdue_finished,
    coalesce(not d.is_finished and d.due_at > now() + interval '24 hours', false) as is_in_time_open,
    coalesce(d.is_finished and d.due_at is not null and n % 5 <> 4, false) as is_finished_in_time,
    d.due_at is null as is_without_due,
    case when d.due_at < now() then round((extract(epoch from now() - d.due_at) / 3600)::numeric, 1) end as overdue_hours,
    case when d.due_at >= now() then round((extract(epoch from d.due_at - now()) / 3600)::numeric, 1) end as left_hours,
    (n % 11 / 10)::bigint as transferred_count,
    (n % 7 / 6)::bigint as extended_count,
    (n % 13 / 12)::bigint as reopened_count,
    case when d.kind = 'incoming' then (d.registered_at + interval '1 day')::date end as forward_due_on,
    case when d.kind = 'incoming' then d.forward_days end as forward_work_days,
    case when d.kind = 'incoming' then d.forward_days > 1 end as is_forward_late,
    case when d.kind <> 'incoming' then null when d.forward_days > 1 then 'Chuyển trễ' else 'Chuyển đúng hạn' end as forward_label,
    true as is_unit_known,
    d.registered_at + interval '2 hours' as changed_at
from generate_series(1, 480) as g (n)
cross join lateral (
    select
        (array['incoming', 'outgoing', 'internal'])[1 + n % 3] as kind,
        case when n % 17 = 0 then 1 + n % 3 else 0 end as urgency,
        now() - (n % 30) * interval '1 day' - (n % 9) * interval '1 hour' as registered_at,
        case when n % 6 <> 0 then now() + (n % 23 - 9) * interval '9 hours' end as due_at,
        n % 4 <> 0 and n % 23 < 18 as is_finished,
        case when n % 19 = 0 then 3 else n % 2 end as forward_days
) as d
inner join office as o on g.n % 8 = o.number;

create table serving.rpt_documents_daily as
select
    day::date as day,
    k.kind,
    k.kind_label,
    o.unit_code,
    o.unit_name,
    c.total_count,
    c.open_count,
    c.overdue_count,
    c.near_due_count,
    c.overdue_finished_count,
    c.open_count - c.overdue_count - c.near_due_count as in_time_open_count,
    c.total_count - c.open_count - c.overdue_finished_count as finished_in_time_count,
    0::numeric as without_due_count,
    (o.number % 4)::numeric as finished_that_day_count
from generate_series(current_date - 30, current_date - 1, interval '1 day') as day
cross join office as o
cross join (
    values ('incoming', 'Văn bản đến'), ('outgoing', 'Văn bản đi'), ('internal', 'Văn bản nội bộ')
) as k (kind, kind_label)
cross join lateral (
    select
        (60 + o.number * 3)::numeric as total_count,
        (24 + o.number)::numeric as open_count,
        (3 + (extract(day from day)::integer + o.number) % 5)::numeric as overdue_count,
        (2 + (extract(day from day)::integer * 3 + o.number) % 4)::numeric as near_due_count,
        (4 + o.number % 3)::numeric as overdue_finished_count
) as c;

reset role;
