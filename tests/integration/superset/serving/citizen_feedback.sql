-- The serving tables of citizens' feedback, filled for three units and 40 days up to now. Same columns and types as dbt's
-- contracts.

create table serving.rpt_citizen_feedback_report as
select
    'PA-' || n as report_code,
    'PA-' || n as report_link,
    'Rác thải chưa được thu gom'::text as title,
    case when not is_open then 'published' else 'processing' end as status_code,
    case when not is_open then 'Đã công khai' else 'Đang xử lý' end as status_name,
    'MT'::text as field_code,
    (array['Môi trường', 'Giao thông', 'Y tế'])[1 + n % 3] as field_name,
    (array['Zalo', 'Trang web'])[1 + n % 2] as channel_name,
    unit_code,
    unit_name,
    'Phường'::text as unit_kind,
    unit_code as commune_code,
    unit_name as commune_name,
    begun_at as sent_at,
    begun_at as received_at,
    begun_at,
    begun_at + interval '10 days' as due_at,
    'Nguồn ghi'::text as due_origin,
    finished_at,
    finished_at as published_at,
    is_open,
    (is_open and begun_at + interval '10 days' < now()) as is_overdue,
    (is_open and begun_at + interval '10 days' between now() and now() + interval '2 days') as is_near_due,
    case
        when is_open and begun_at + interval '10 days' < now() then 'Quá hạn' when is_open then 'Trong hạn'
        when finished_at <= begun_at + interval '10 days' then 'Trả lời đúng hạn' else 'Trả lời quá hạn'
    end as deadline_state,
    case when is_open then round((extract(epoch from begun_at + interval '10 days' - now()) / 86400)::numeric, 1) end as days_left,
    (extract(epoch from finished_at - begun_at) / 86400)::numeric as response_days,
    case when not is_open then '3 đến 5 ngày' end as response_bucket,
    case when not is_open then 3 end as response_bucket_order,
    (finished_at <= begun_at + interval '10 days') as is_answered_in_time,
    (finished_at <= begun_at + interval '18 days') as is_published_in_limit,
    case when not is_open then 3 + n % 3 end as rating,
    (n % 5)::bigint as transfer_count,
    (n % 2)::bigint as reopen_count,
    null::timestamptz as reopened_at,
    null::text as original_code,
    case when n % 10 = 0 then 'đơn vị lạ' end as flags_vi,
    begun_at + interval '1 hour' as changed_at
from (
    select
        n,
        now() - n * interval '8 hours' as begun_at,
        (n % 4 = 0) as is_open,
        case when n % 4 <> 0 then now() - n * interval '8 hours' + (n % 12) * interval '1 day' end as finished_at,
        (array['14797', '15865', '16531'])[1 + n % 3] as unit_code,
        (array['Phường Hạc Thành', 'Xã Hoằng Hoá', 'Phường Sầm Sơn'])[1 + n % 3] as unit_name
    from generate_series(0, 119) as g (n)
) as lives;

create table serving.rpt_citizen_feedback_daily as
select
    (begun_at at time zone 'Asia/Ho_Chi_Minh')::date as day, unit_code, unit_name, field_name, commune_code, commune_name,
    channel_name, count(*) as received_count, count(*) as answered_count, count(*) as answered_in_time_count,
    0::bigint as answered_late_count, 0::bigint as rejected_count, 0::bigint as duplicate_count, 0::bigint as reopened_count,
    0::bigint as transferred_count, 12::bigint as open_count, 3::bigint as overdue_count, 1::bigint as near_due_count,
    true as is_closed
from serving.rpt_citizen_feedback_report
group by 1, 2, 3, 4, 5, 6, 7;

create table serving.rpt_citizen_feedback_text as
select report_code, unit_code, title, title as content, 'rac thai'::text as search_text, begun_at
from serving.rpt_citizen_feedback_report;
