-- An incident, a message about it, a case and a task; with names, addresses and texts that no dashboard may show.
insert into alert.rule (code, domain, signal_code, owner_unit, title_vi, title_en, unit_vi)
    values ('thu', 'air_quality', 'thu', 'SNNMT', 'Quy tắc thử', 'Test', 'lần');
insert into alert.rule_version (rule_id, version, effective, max_gap, notify_max_age, message_vi, message_en, legal_basis,
    reason, author) select rule_id, 1, tstzrange('2020-01-01', null), '1 h', '1 h', 'x', 'x', 'x', 'x', 'a' from alert.rule;
insert into alert.threshold (rule_version_id, level, enter_value, exit_value, label_vi, label_en)
    select rule_version_id, 3, 2, 2, 'Vượt ranh giới', 'Across the line' from alert.rule_version;
insert into alert.incident (incident_id, rule_id, rule_version_id, entity_type, entity_id, kind, unit_code, status, level,
    peak_level, open_value, peak_value, opened_at, recorded_at, ack_by, ack_at, ack_until, ack_level)
    select '1a2b3c4d-0000-0000-0000-000000000000', rule_id, rule_version_id, 'station', 'TH_HACTHANH_KK01', 'value',
    '14797', 'open', 2, 3, 1, 2.5, now() - interval '90 min', now() - interval '80 min', 'Nguyễn Văn A', now() - interval '50 min',
    now(), 2 from alert.rule_version;
insert into ref.contact (code, name_vi, unit_code, email) values ('a', 'Nguyễn Văn A', '14797', 'a@thanhhoa.example.vn');
insert into notify.outbox (outbox_id, dedupe_key, contact_id, channel, address, level, subject, body, incident_ids, status,
    not_before, created_at, accepted_at)
    select gen_random_uuid(), 'k', contact_id, 'email', email, 2, 'Kính gửi A', 'nội dung', array[incident_id], 'accepted',
    now(), now() - interval '10 s', now() from ref.contact, alert.incident;
insert into sop.template (code, version, title_vi, title_en, author) values ('aqi', 1, 'Xử lý AQI xấu', 'Bad air', 'a');
insert into sop.step (template_id, code, position, title_vi, title_en, unit_mode, role, sla)
    select template_id, 'kiem-tra', 1, 'Kiểm tra hiện trường', 'Inspect', 'incident_unit', 'truc_ban', '2 h' from sop.template;
insert into sop.case_ (code, template_id, incident_id, title_vi, unit_code, level, snapshot, opened_by, opened_at)
    select 'VV-1', template_id, incident_id, 'Ông A khiếu nại', '14797', 2, '{}', 'truc', now() - interval '60 min'
    from sop.template, alert.incident;
insert into sop.task (case_id, step_code, status, unit_code, role, ready_at, due_at, note)
    select case_id, 'kiem-tra', 'ready', '14797', 'truc_ban', now() - interval '60 min', now() - interval '5 min', 'gọi ông A'
    from sop.case_;
