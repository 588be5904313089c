-- Public alerts, and what dashboards see of alerts and procedures.

-- ---------------------------------------------------------------------------------------------------------------------
-- Public alerts: which rules citizens are told of, and everything they were told
-- ---------------------------------------------------------------------------------------------------------------------

-- Where an entity stands, and whether the public may know it: written by every domain beside its signals.
alter table alerting.entity
    add column longitude double precision check (longitude between -180 and 180),
    add column latitude double precision check (latitude between -90 and 90),
    add column is_public boolean not null default false,
    add constraint both_or_none check ((longitude is null) = (latitude is null));

-- A rule without a row here is for the authorities only. Categories and responses are those of CAP 1.2.
create table alert.public_rule (
    rule_code text primary key,
    min_level integer not null check (min_level between 1 and 4),
    category text not null check (category in (
        'Geo', 'Met', 'Safety', 'Security', 'Rescue', 'Fire', 'Health', 'Env', 'Transport', 'Infra', 'CBRNE', 'Other')),
    event_vi text not null,
    event_en text not null,
    headline_vi text not null,             -- Jinja2: entity, place, value, label
    headline_en text not null,
    radius_km numeric not null default 0 check (radius_km >= 0),    -- around the entity for which its value speaks
    is_enabled boolean not null default true,
    reason text not null
);
create table alert.public_advice (
    rule_code text not null references alert.public_rule,
    level integer not null check (level between 1 and 4),
    response text not null check (response in ('Shelter', 'Evacuate', 'Prepare', 'Execute', 'Avoid', 'Monitor', 'Assess')),
    advice_vi text not null,
    advice_en text not null,
    primary key (rule_code, level)
);

insert into alert.public_rule values (
    'air_quality.aqi_h', 2, 'Env', 'Ô nhiễm không khí', 'Air pollution',
    'Không khí mức {{ label }} tại {{ entity }}: AQI giờ {{ value | number(0) }}',
    '{{ label }} air at {{ entity }}: hourly AQI {{ value | number(0) }}',
    2, true,
    'Từ mức Xấu mọi người đều bị ảnh hưởng (QĐ 1459/QĐ-TCMT); một trạm nền đô thị đại diện cho vài km² '
    || '(Directive 2008/50/EC, Annex III)'
);
insert into alert.public_advice values
    ('air_quality.aqi_h', 2, 'Avoid',
     'Mọi người nên hạn chế hoạt động mạnh ngoài trời và đeo khẩu trang; người nhạy cảm nên ở trong nhà.',
     'Everyone should limit outdoor exertion and wear a mask; sensitive groups should stay indoors.'),
    ('air_quality.aqi_h', 3, 'Shelter',
     'Mọi người hạn chế tối đa ra ngoài, chuyển hoạt động vào trong nhà; người nhạy cảm ở trong nhà và đóng cửa.',
     'Avoid going out and move activities indoors; sensitive groups should stay inside with windows closed.'),
    ('air_quality.aqi_h', 4, 'Shelter',
     'Mọi người nên ở trong nhà, đóng cửa ra vào và cửa sổ. Nếu buộc phải ra ngoài, đeo khẩu trang lọc bụi mịn.',
     'Stay indoors with doors and windows closed. Wear a fine-dust mask if you must go out.');

-- Every message that was published, as it was published: later ones refer to it.
create table alert.public_message (
    public_message_id bigint generated always as identity primary key,
    identifier text not null unique check (identifier ~ '^[A-Za-z0-9._-]+$'),
    incident_id uuid not null references alert.incident,
    number integer not null,               -- within the incident
    message_type text not null check (message_type in ('Alert', 'Update', 'Cancel')),
    level integer not null check (level between 0 and 4),
    sender text not null,
    sent_at timestamptz not null,
    expires_at timestamptz not null check (expires_at > sent_at),
    reference_ids text[] not null default '{}',         -- identifiers of the earlier messages that this one replaces
    content jsonb not null,
    cap text not null,                     -- the CAP 1.2 document, byte for byte
    unique (incident_id, number),
    check ((message_type = 'Alert') = (reference_ids = '{}')),
    check ((message_type = 'Cancel') = (level = 0))
);
create index on alert.public_message (expires_at);
create index on alert.public_message (sent_at desc);
create trigger frozen before update or delete on alert.public_message
    for each row execute function alert.refuse_change();
create trigger frozen_whole before truncate on alert.public_message
    for each statement execute function alert.refuse_change();

grant select on alert.public_rule, alert.public_advice, alert.public_message to ioc_alerts, ioc_portal;
grant insert on alert.public_message to ioc_alerts;

-- ---------------------------------------------------------------------------------------------------------------------
-- What dashboards see: no addresses, no texts of messages, no names beyond the unit
-- ---------------------------------------------------------------------------------------------------------------------

grant usage on schema alert, notify, sop to ioc_transformer;
grant select on alert.rule, alert.threshold, alert.transition to ioc_transformer;
grant select (rule_version_id, rule_id, version, effective, status) on alert.rule_version to ioc_transformer;
grant select (incident_id, rule_id, rule_version_id, entity_type, entity_id, kind, unit_code, status, level, peak_level,
    opened_at, closed_at, close_reason, open_value, peak_value, ack_at, ack_until, ack_level, ack_void_at, recorded_at)
    on alert.incident to ioc_transformer;
grant select (route_id, code, name_vi) on notify.route to ioc_transformer;
grant select (outbox_id, route_id, contact_id, channel, level, incident_ids, status, attempt_count, provider_code,
    created_at, accepted_at, finished_at) on notify.outbox to ioc_transformer;
grant select (contact_id, unit_code) on ref.contact to ioc_transformer;
grant select (case_id, code, template_id, incident_id, unit_code, level, status, opened_at, closed_at,
    close_reason, closed_while_firing) on sop.case_ to ioc_transformer;
grant select (task_id, case_id, step_code, status, unit_code, role, ready_at, due_at, accepted_at, finished_at, outcome)
    on sop.task to ioc_transformer;
grant select (template_id, code, version, title_vi, title_en) on sop.template to ioc_transformer;
grant select (step_id, template_id, code, position, title_vi, title_en, evidence_required) on sop.step
    to ioc_transformer;
