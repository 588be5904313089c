-- Duty rosters, limits, quiet hours, templates and reachability.

-- ---------------------------------------------------------------------------------------------------------------------
-- People
-- ---------------------------------------------------------------------------------------------------------------------

-- Nobody is on duty in two places at once.
alter table ref.duty_shift add constraint one_shift_at_a_time
    exclude using gist (int8range(contact_id, contact_id, '[]') with &&, during with &&);
alter table ref.duty_shift add check (not upper_inf(during) and not lower_inf(during));
create index on ref.duty_shift (unit_code, role);

-- An address counts once the code that was sent to it has come back.
create table ref.contact_verification (
    contact_verification_id bigint generated always as identity primary key,
    contact_id bigint not null references ref.contact,
    medium text not null check (medium in ('email', 'phone')),
    address text not null,
    code_hash bytea not null,
    sent_at timestamptz not null,
    expires_at timestamptz not null,
    attempt_count integer not null default 0,
    used_at timestamptz
);
create index on ref.contact_verification (contact_id, medium, sent_at desc);

-- ---------------------------------------------------------------------------------------------------------------------
-- Routes, messages that wait, messages that are owed
-- ---------------------------------------------------------------------------------------------------------------------

-- A route with a calendar speaks in its working time only; level 3 and above at any time.
alter table notify.route add column calendar_code text references ref.calendar;
alter table notify.route add constraint fallback_stays check (is_enabled or not is_fallback);

-- `incident_levels`: what the message says of each of `incident_ids`; empty = nothing that could stop being true.
alter table notify.outbox add column incident_levels integer[] not null default '{}';
alter table notify.outbox add column held_for text check (held_for in ('quiet_hours', 'limit'));
alter table notify.outbox add column segment_count integer;     -- parts of an SMS
alter table notify.outbox add column digested_at timestamptz;   -- when the morning digest listed a dropped message
create index outbox_held on notify.outbox (not_before) where status = 'queued' and held_for = 'quiet_hours';
create index outbox_undigested on notify.outbox (contact_id) where status = 'dropped' and digested_at is null;
create index on notify.outbox (contact_id, channel, created_at desc);

-- What a person has still to be told on a channel because a limit was reached; paid as one message when there is room.
create table notify.owed (
    incident_id uuid not null references alert.incident,
    contact_id bigint not null references ref.contact,
    channel text not null,
    route_id bigint not null references notify.route,
    since timestamptz not null,
    primary key (incident_id, contact_id, channel)
);

-- ---------------------------------------------------------------------------------------------------------------------
-- Limits: token buckets
-- ---------------------------------------------------------------------------------------------------------------------

-- `per` null: the capacity of a calendar month, which does not refill.
create table notify.rate_limit (
    scope text not null check (scope in ('provider', 'contact', 'rule', 'month')),
    channel text not null,
    name text not null,
    capacity numeric not null check (capacity > 0),
    per interval check (per > interval '0'),
    primary key (scope, channel, name),
    check ((scope = 'month') = (per is null))
);

create function notify.tokens_at(b notify.bucket, at timestamptz) returns numeric language sql immutable as $$
    select least(b.capacity,
        b.tokens + b.refill_per_second * extract(epoch from greatest(at, b.updated_at) - b.updated_at))
$$;

-- Take `wanted` tokens and return what is left, below zero when they are owed; whoever must not owe looks first.
create function notify.take(
    of_scope text, of_key text, of_capacity numeric, of_refill numeric, wanted numeric, at timestamptz
) returns numeric language plpgsql as $$
declare
    left_over numeric;
begin
    insert into notify.bucket (scope, key, capacity, refill_per_second, tokens, updated_at)
    values (of_scope, of_key, of_capacity, of_refill, of_capacity, at) on conflict do nothing;
    update notify.bucket b set
        -- A limit that was changed counts from now on: what was taken stays taken.
        tokens = least(of_capacity, notify.tokens_at(b, at) + of_capacity - b.capacity) - wanted,
        capacity = of_capacity, refill_per_second = of_refill, updated_at = greatest(b.updated_at, at)
    where b.scope = of_scope and b.key = of_key
    returning tokens into left_over;
    return left_over;
end $$;

-- ---------------------------------------------------------------------------------------------------------------------
-- Message templates
-- ---------------------------------------------------------------------------------------------------------------------

-- `registered_text`: what the SMS provider registered, with {names} where it varies.
alter table notify.template add column registered_text text;
alter table notify.template add column approved_at timestamptz;
alter table notify.template add constraint approved_by_somebody check (status <> 'approved' or approved_by is not null);

create function notify.freeze_template() returns trigger language plpgsql as $$
begin
    if old.status <> 'draft' and (
        tg_op = 'DELETE' or to_jsonb(new) - 'status' <> to_jsonb(old) - 'status' or new.status = 'draft'
    ) then
        raise exception 'template % is no draft: make a new version', old.template_id
            using errcode = 'restrict_violation';
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end $$;
create trigger frozen before update or delete on notify.template
    for each row execute function notify.freeze_template();

-- ---------------------------------------------------------------------------------------------------------------------
-- Grants
-- ---------------------------------------------------------------------------------------------------------------------

grant select, insert, update, delete on notify.owed, notify.rate_limit to ioc_alerts;
grant select, insert, update on ref.contact_verification to ioc_alerts;
grant update (email_verified_at, phone_verified_at) on ref.contact to ioc_alerts;

grant select on notify.owed, notify.rate_limit to ioc_portal;
grant insert, update on ref.contact to ioc_portal;
grant insert, update, delete on ref.duty_shift, ref.work_segment, ref.holiday to ioc_portal;
grant update (roles, channels, min_level, group_wait, group_interval, calendar_code, is_enabled)
    on notify.route to ioc_portal;
grant insert, update on notify.template to ioc_portal;
