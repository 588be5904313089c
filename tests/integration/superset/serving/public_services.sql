-- The serving tables of public services, filled for five units; see ../serving.sql.
set role ioc_transformer;
set timezone = 'Asia/Ho_Chi_Minh';

create temporary table ps_unit as
select * from (values
    ('STP', 'Sở Tư pháp', 'Sở, ban, ngành', null::numeric, null::numeric, 42, 3, 90),
    ('14797', 'Phường Hạc Thành', 'Phường', 105.7866, 19.8041, 60, 2, 70),
    ('16654', 'Phường Nghi Sơn', 'Phường', 105.8, 19.33, 55, 24, 70),
    ('16531', 'Phường Sầm Sơn', 'Phường', 105.9, 19.74, 21, 4, 70),
    ('15127', 'Xã Cẩm Thuỷ', 'Xã', 105.47, 20.2, 10, 1, 70)
) as u (unit_code, unit_name, unit_kind_vi, longitude, latitude, load, late, target);

create table serving.rpt_public_services_unit as
select
    (u.unit_code)::text as unit_code,
    (u.unit_name)::text as unit_name,
    (u.unit_kind_vi)::text as unit_kind_vi,
    (u.longitude)::numeric as longitude,
    (u.latitude)::numeric as latitude,
    (u.load / 2)::bigint as open_count,
    (u.load)::bigint as in_process_count,
    (u.load - u.late)::bigint as in_process_on_time_count,
    (u.late)::bigint as in_process_overdue_count,
    (u.load / 2)::bigint as near_due_count,
    (u.load / 2)::bigint as supplement_count,
    (u.load / 2)::bigint as stopped_count,
    (u.load / 2)::bigint as received_today_count,
    (u.load / 2)::bigint as processed_today_count,
    (u.load / 2)::numeric as received_30d_count,
    (u.load / 2)::numeric as received_online_30d_count,
    (u.load / 2)::numeric as processed_30d_count,
    (u.load / 2)::numeric as processed_overdue_30d_count,
    (u.load / 2)::numeric as returned_30d_count,
    (u.target)::numeric as online_target_pct,
    ('Chỉ tiêu thử nghiệm')::text as online_target_citation
from ps_unit as u;

create table serving.rpt_public_services_daily as
select
    (g.day)::date as as_of_day,
    (u.unit_code)::text as unit_code,
    (u.unit_name)::text as unit_name,
    (u.unit_kind_vi)::text as unit_kind_vi,
    ('HT')::text as field_code,
    ('Hộ tịch')::text as field_name,
    (c.channel_code)::bigint as channel_code,
    (c.channel_name_vi)::text as channel_name_vi,
    (u.load / 2)::numeric as received_count,
    (u.load / 2)::numeric as received_late_count,
    (u.load / 2)::numeric as carried_over_count,
    (u.load / 2)::numeric as processed_count,
    (u.load / 2)::numeric as processed_before_due_count,
    (u.load / 2)::numeric as processed_on_due_count,
    (u.load / 2)::numeric as processed_overdue_count,
    (u.load / 2)::numeric as returned_count,
    (u.load)::numeric as in_process_count,
    (u.load - u.late)::numeric as in_process_on_time_count,
    (u.late)::numeric as in_process_overdue_count,
    (u.load / 2)::numeric as near_due_count,
    (u.load / 2)::numeric as supplement_count,
    (u.load / 2)::numeric as stopped_count,
    (u.load / 2)::numeric as entered_count,
    (u.load / 2)::numeric as left_count,
    (u.load / 2)::numeric as in_process_first_count,
    (u.load / 2)::numeric as in_process_overdue_first_count,
    (u.load / 2)::numeric as processed_first_count,
    ((u.late > 20)::integer)::bigint as restated_count
from ps_unit as u
cross join (values (1, 'Trực tiếp'), (2, 'Trực tuyến')) as c (channel_code, channel_name_vi)
cross join (select d::date as day from generate_series(current_date - 30, current_date - 1, interval '1 day') as d) as g;

create table serving.rpt_public_services_dossier as
select
    ('000.00.A2.H56-260105-' || lpad(g.number::text, 4, '0'))::text as dossier_code,
    ('000.00.A2.H56-260105-' || lpad(g.number::text, 4, '0'))::text as dossier_link,
    (u.unit_code)::text as unit_code,
    (u.unit_name)::text as unit_name,
    ('HT')::text as field_code,
    ('Hộ tịch')::text as field_name,
    ('1.001193.000.00.00.H56')::text as procedure_code,
    ('Đăng ký khai sinh')::text as procedure_name,
    (c.channel_code)::bigint as channel_code,
    (c.channel_name_vi)::text as channel_name_vi,
    (4)::bigint as status_code,
    ('Đang xử lý')::text as status_name_vi,
    (case g.number % 3 when 0 then 'Quá hạn' when 1 then 'Sắp đến hạn' else 'Trong hạn' end)::text as deadline_vi,
    (now() - interval '5 days')::timestamp with time zone as received_at,
    (now() + make_interval(days => g.number - 3))::timestamp with time zone as due_at,
    (case when g.number % 3 = 0 then 2 end)::integer as overdue_work_days,
    (u.load / 2)::bigint as supplement_count,
    (now())::timestamp with time zone as changed_at
from ps_unit as u
cross join (values (2, 'Trực tuyến')) as c (channel_code, channel_name_vi)
cross join generate_series(1, 9) as g (number);

create table serving.rpt_public_services_lookup as
select
    ('000.00.A2.H56-260105-' || lpad(g.number::text, 4, '0'))::text as dossier_code,
    (u.unit_code)::text as unit_code,
    (u.unit_name)::text as unit_name,
    ('Đang xử lý')::text as group_name_vi,
    (now() - interval '5 days')::timestamp with time zone as received_at,
    (now() + make_interval(days => g.number - 3))::timestamp with time zone as due_at,
    (now())::timestamp with time zone as changed_at
from ps_unit as u
cross join generate_series(1, 3) as g (number);

create table serving.rpt_public_services_month as
select
    (g.day)::date as period_month,
    (u.unit_code)::text as unit_code,
    (u.unit_name)::text as unit_name,
    (u.unit_kind_vi)::text as unit_kind_vi,
    (u.load / 2)::numeric as received_count,
    (u.load / 2)::numeric as received_online_count,
    (82.5)::numeric as online_pct,
    (u.target)::numeric as online_target_pct,
    (u.load / 2)::numeric as processed_count,
    (u.load / 2)::numeric as processed_overdue_count,
    (u.load)::numeric as in_process_count,
    (u.late)::numeric as in_process_overdue_count,
    (u.load / 2)::numeric as supplement_count,
    (u.load / 2)::numeric as on_time_operational_count,
    (u.load / 2)::numeric as base_operational_count,
    (95.25)::numeric as on_time_operational_pct,
    (u.load / 2)::numeric as on_time_766_count,
    (u.load / 2)::numeric as base_766_count,
    (u.load / 2)::numeric as unjudged_766_count,
    (93.5)::numeric as on_time_766_pct,
    (18.7)::numeric as timeliness_score,
    (20)::numeric as timeliness_max_score,
    (2.4)::numeric as mean_work_days
from ps_unit as u
cross join (select d::date as day from generate_series(date_trunc('month', current_date - 60), current_date, interval '1 month') as d) as g;

create table serving.rpt_public_services_reconciliation as
select
    (g.day)::date as day,
    (u.unit_code)::text as unit_code,
    (u.unit_name)::text as unit_name,
    (m.measure_code)::text as measure_code,
    (m.measure_vi)::text as measure_vi,
    (u.load)::numeric as source_count,
    (u.load - (u.late > 20)::integer)::numeric as recount,
    (u.load - (u.late > 20)::integer - u.late % 2)::numeric as as_true_count,
    ((u.late > 20)::integer)::numeric as missing_difference,
    (u.late % 2)::numeric as drift,
    (case when u.late > 20 then 'Lệch số liệu nguồn' when u.late % 2 = 1 then 'Nguồn đổi số liệu về sau' else 'Khớp' end)::text as verdict_vi,
    (now())::timestamp with time zone as said_at
from ps_unit as u
cross join (values ('in_process_count', 'Đang xử lý'), ('processed_count', 'Đã xử lý')) as m (measure_code, measure_vi)
cross join (select d::date as day from generate_series(current_date - 30, current_date - 1, interval '1 day') as d) as g;

drop table ps_unit;
reset role;
