-- Alerts, notifications, procedures (SOP) and the audit chain.
-- Text that people read is Vietnamese (_vi) with English beside it (_en). Event time is the data's own period end.

-- ---------------------------------------------------------------------------------------------------------------------
-- Reference: units, people, calendars
-- ---------------------------------------------------------------------------------------------------------------------

-- PostgreSQL's own GiST has no equality for text (that is the contrib module btree_gist); a range of one code has.
create type ref.code_range as range (subtype = text);

-- Units of government; a renamed, moved or merged unit gets a new row, the old one ends (SCD2).
create table ref.org_unit (
    org_unit_id bigint generated always as identity primary key,
    code text not null,
    name_vi text not null,
    kind text not null check (kind in ('province', 'department', 'agency', 'ward', 'commune', 'centre')),
    parent_code text,
    valid daterange not null default daterange('2025-07-01', null) check (not isempty(valid)),
    constraint one_row_per_day exclude using gist (ref.code_range(code, code, '[]') with &&, valid with &&)
);
create index on ref.org_unit (code);
create index on ref.org_unit (parent_code);

-- Who took over from whom (mergers of communes): incidents keep the unit of their time, routing finds its successor.
create table ref.unit_succession (
    old_code text not null,
    new_code text not null,
    effective_on date not null,
    weight numeric not null default 1 check (weight > 0 and weight <= 1),
    citation text,
    primary key (old_code, new_code, effective_on),
    check (old_code <> new_code)
);

create table ref.contact (
    contact_id bigint generated always as identity primary key,
    code text not null unique,
    name_vi text not null,
    unit_code text not null,
    roles text[] not null default '{}',
    user_name text unique,                 -- login in the portal; null = no inbox
    email text,
    email_verified_at timestamptz,
    phone text,
    phone_verified_at timestamptz,
    quiet_from time,                       -- civil time in Viet Nam; may run across midnight
    quiet_to time,
    is_active boolean not null default true,
    check ((quiet_from is null) = (quiet_to is null)),
    check (email_verified_at is null or email is not null),
    check (phone_verified_at is null or phone is not null)
);
create index on ref.contact (unit_code) where is_active;

create table ref.duty_shift (
    duty_shift_id bigint generated always as identity primary key,
    role text not null,
    unit_code text not null,
    contact_id bigint not null references ref.contact,
    during tstzrange not null check (not isempty(during)),
    note text,
    created_by text not null,
    created_at timestamptz not null default clock_timestamp()
);
create index on ref.duty_shift using gist (during);

create table ref.calendar (
    calendar_code text primary key,
    name_vi text not null,
    name_en text not null
);
create table ref.work_segment (
    calendar_code text not null references ref.calendar,
    iso_weekday integer not null check (iso_weekday between 1 and 7),
    starts_at time not null,
    ends_at time not null check (ends_at > starts_at),
    primary key (calendar_code, iso_weekday, starts_at)
);
-- Days off, and working days made up for them (làm bù): these win over the week's pattern.
create table ref.holiday (
    calendar_code text not null references ref.calendar,
    day date not null,
    kind text not null check (kind in ('off', 'make_up')),
    name_vi text not null,
    citation text,
    primary key (calendar_code, day)
);

-- Whether `at` lies in the working time of a calendar.
create function ref.is_working_time(calendar text, at timestamptz) returns boolean language sql stable as $$
    with civil as (select at at time zone 'Asia/Ho_Chi_Minh' as moment)
    select exists (
        select from civil c
        join ref.work_segment w on w.calendar_code = calendar
            and c.moment::time >= w.starts_at and c.moment::time < w.ends_at
        left join ref.holiday h on h.calendar_code = calendar and h.day = c.moment::date
        where case h.kind
            when 'off' then false
            when 'make_up' then w.iso_weekday = 1           -- a make-up day keeps Monday's hours
            else w.iso_weekday = extract(isodow from c.moment)
        end
    )
$$;

-- What to call an entity in a message. Every domain may fill it beside its signals; without a row the code is shown.
create table alerting.entity (
    entity_type text not null,
    entity_id text not null,
    name_vi text not null,
    unit_code text,
    primary key (entity_type, entity_id)
);

-- ---------------------------------------------------------------------------------------------------------------------
-- Alert: rules, state, incidents
-- ---------------------------------------------------------------------------------------------------------------------

create table alert.rule (
    rule_id bigint generated always as identity primary key,
    code text not null unique check (code ~ '^[a-z][a-z0-9_.-]*$'),
    domain text not null,
    signal_code text not null,
    entity_type text,                      -- null = any
    owner_unit text not null,
    title_vi text not null,
    title_en text not null,
    unit_vi text not null default '',      -- unit of measure as shown
    sop_template_code text,
    sop_min_level integer check (sop_min_level between 1 and 4),
    is_enabled boolean not null default true,
    created_at timestamptz not null default clock_timestamp()
);
create index on alert.rule (signal_code) where is_enabled;

-- A version is in force for the periods whose end lies in `effective`. Drafts are edited; approved versions are frozen
-- except for the end of their range.
create table alert.rule_version (
    rule_version_id bigint generated always as identity primary key,
    rule_id bigint not null references alert.rule,
    version integer not null,
    status text not null default 'draft' check (status in ('draft', 'approved', 'rejected')),
    effective tstzrange not null check (not isempty(effective) and not lower_inf(effective)),
    direction text not null default 'up' check (direction in ('up', 'down')),
    max_gap interval not null check (max_gap > interval '0'),
    nodata_after interval[] not null default '{}',      -- one per level of silence
    retire_after interval not null default interval '30 days',
    notify_max_age interval not null check (notify_max_age > interval '0'),
    calendar_code text references ref.calendar,
    message_vi text not null,
    message_en text not null,
    legal_basis text not null,
    reason text not null,
    author text not null,
    approved_by text,
    approved_at timestamptz,
    created_at timestamptz not null default clock_timestamp(),
    unique (rule_id, version),
    constraint two_people check (approved_by is null or approved_by <> author),
    constraint approved_by_somebody check ((status = 'approved') = (approved_by is not null)),
    constraint one_version_at_a_time exclude using gist
        (int8range(rule_id, rule_id, '[]') with &&, effective with &&) where (status = 'approved')
);

create table alert.threshold (
    threshold_id bigint generated always as identity primary key,
    rule_version_id bigint not null references alert.rule_version,
    scope_kind text not null default 'province' check (scope_kind in ('province', 'unit', 'entity', 'pattern')),
    scope_value text not null default '',  -- unit code, entity id, or a LIKE pattern of entity ids
    level integer not null check (level between 1 and 4),
    enter_value numeric not null,
    exit_value numeric not null,
    enter_strict boolean not null default false,        -- "over the limit" is strict, "from 101" is not
    for_dur interval not null default interval '0' check (for_dur >= interval '0'),
    keep_dur interval not null default interval '0' check (keep_dur >= interval '0'),
    label_vi text not null default '',
    label_en text not null default '',
    unique (rule_version_id, scope_kind, scope_value, level),
    check ((scope_kind = 'province') = (scope_value = ''))
);

create function alert.freeze_rule_version() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        if old.status <> 'draft' then
            raise exception 'rule version % is not a draft: it stays', old.rule_version_id
                using errcode = 'restrict_violation';
        end if;
        return old;
    end if;
    if old.status = 'approved' and (
        to_jsonb(new) - 'effective' <> to_jsonb(old) - 'effective' or lower(new.effective) <> lower(old.effective)
    ) then
        raise exception 'rule version % is approved: only the end of its effective range may change',
            old.rule_version_id using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger frozen before update or delete on alert.rule_version
    for each row execute function alert.freeze_rule_version();

create function alert.freeze_threshold() returns trigger language plpgsql as $$
declare
    version_id bigint := case when tg_op = 'INSERT' then new.rule_version_id else old.rule_version_id end;
begin
    if exists (select 1 from alert.rule_version v where v.rule_version_id = version_id and v.status <> 'draft') then
        raise exception 'thresholds of rule version % are frozen: make a new version', version_id
            using errcode = 'restrict_violation';
    end if;
    if tg_op = 'DELETE' then
        return old;
    end if;
    return new;
end $$;
create trigger frozen before insert or update or delete on alert.threshold
    for each row execute function alert.freeze_threshold();

-- One row per evaluation that was recorded. `snapshot` and `change_id` tell the next run which signal rows are new.
create table alert.eval_run (
    eval_run_id bigint generated always as identity primary key,
    mode text not null check (mode in ('live', 'backfill', 'replay', 'dry_run')),
    evaluated_at timestamptz not null,     -- the clock that the run was given
    airflow_run_id text,
    snapshot pg_snapshot not null,
    change_id bigint not null,
    report jsonb not null default '{}',
    recorded_at timestamptz not null default clock_timestamp()
);
create index on alert.eval_run (mode, eval_run_id desc);

-- Written once per run, in bulk, only for series with new data; room on the page keeps the updates in place.
create table alert.series_state (
    rule_id bigint not null references alert.rule,
    entity_type text not null,
    entity_id text not null,
    unit_code text,
    level integer not null default 0 check (level between 0 and 4),
    up_since timestamptz[] not null default array[null, null, null, null]::timestamptz[],
    down_since timestamptz[] not null default array[null, null, null, null]::timestamptz[],
    watermark timestamptz,
    watermark_revision integer not null default 0,
    heard_at timestamptz,                  -- newest period in which the device said anything (insufficient says nothing)
    last_ok_at timestamptz,
    last_value numeric,
    peak_value numeric,
    data_state text not null default 'ok' check (data_state in ('ok', 'unusable', 'nodata')),
    incident_id uuid,
    primary key (rule_id, entity_type, entity_id)
) with (fillfactor = 60);

create table alert.incident (
    incident_id uuid primary key,          -- md5(rule code|entity type:entity id|kind|opened at in UTC)
    rule_id bigint not null references alert.rule,
    rule_version_id bigint not null references alert.rule_version,
    entity_type text not null,
    entity_id text not null,
    kind text not null check (kind in ('value', 'nodata', 'source')),
    unit_code text,                        -- the unit of that time
    status text not null default 'open' check (status in ('open', 'closed')),
    level integer not null check (level between 0 and 4),
    peak_level integer not null check (peak_level between 1 and 4),
    opened_at timestamptz not null,        -- event time
    closed_at timestamptz,
    close_reason text,
    open_value numeric,
    peak_value numeric,
    ack_by text,
    ack_at timestamptz,
    ack_until timestamptz,
    ack_level integer,
    ack_note text,
    ack_void_at timestamptz,
    opened_run bigint references alert.eval_run,
    closed_run bigint references alert.eval_run,
    recorded_at timestamptz not null default clock_timestamp(),
    constraint closed_has_time check ((status = 'closed') = (closed_at is not null)),
    constraint open_has_level check ((status = 'open') = (level > 0)),
    constraint ack_whole check (num_nulls(ack_by, ack_at, ack_until, ack_level) in (0, 4))
);
create unique index one_open_incident on alert.incident (rule_id, entity_type, entity_id, kind) where status = 'open';
create index on alert.incident (opened_at desc);
create index on alert.incident (unit_code, opened_at desc);
alter table alert.series_state add foreign key (incident_id) references alert.incident;

create table alert.transition (
    transition_id bigint generated always as identity primary key,
    incident_id uuid not null references alert.incident,
    rule_id bigint not null,
    rule_version_id bigint not null,
    entity_type text not null,
    entity_id text not null,
    kind text not null,
    event_time timestamptz not null,
    revision integer not null default 1,   -- of the signal row: the newest hour, corrected, may change the level again
    from_level integer not null,
    to_level integer not null,
    value numeric,
    reason text not null,
    eval_run_id bigint references alert.eval_run,
    recorded_at timestamptz not null default clock_timestamp(),
    constraint once unique (rule_id, entity_type, entity_id, kind, event_time, revision),
    check (from_level <> to_level)
);
create index on alert.transition (incident_id);

create function alert.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '%.% is append-only', tg_table_schema, tg_table_name using errcode = 'restrict_violation';
end $$;
create trigger frozen before update or delete on alert.transition
    for each row execute function alert.refuse_change();
create trigger frozen_whole before truncate on alert.transition
    for each statement execute function alert.refuse_change();

-- What a backfill or replay would have said; never read by the reconciler.
create table alert.shadow_transition (
    eval_run_id bigint not null references alert.eval_run,
    rule_id bigint not null,
    rule_version_id bigint not null,
    entity_type text not null,
    entity_id text not null,
    kind text not null,
    event_time timestamptz not null,
    revision integer not null,
    from_level integer not null,
    to_level integer not null,
    value numeric,
    reason text not null,
    primary key (eval_run_id, rule_id, entity_type, entity_id, kind, event_time)
);

-- Silences, maintenance windows, inhibitions, mute times: one table, one check, for reconciler and timers alike.
create table alert.suppression (
    suppression_id bigint generated always as identity primary key,
    kind text not null check (kind in ('silence', 'maintenance', 'inhibit', 'mute_timing')),
    during tstzrange not null check (not isempty(during) and not upper_inf(during) and not lower_inf(during)),
    rule_code_pattern text not null default '%',        -- LIKE patterns
    unit_code text,
    entity_pattern text not null default '%',
    incident_kind text check (incident_kind in ('value', 'nodata', 'source')),
    calendar_code text references ref.calendar,         -- mute_timing: only outside these working hours
    max_level integer not null check (max_level between 1 and 4),
    reason text not null check (length(trim(reason)) > 0),
    source_incident_id uuid references alert.incident,
    created_by text not null,
    created_at timestamptz not null default clock_timestamp(),
    cancelled_at timestamptz,
    cancelled_by text,
    check ((cancelled_at is null) = (cancelled_by is null))
);
create index on alert.suppression using gist (during);

-- Rows that came behind the watermark of their series: counted and reported, never folded.
create table alert.late_observation (
    late_observation_id bigint generated always as identity primary key,
    rule_id bigint not null references alert.rule,
    entity_type text not null,
    entity_id text not null,
    period_end timestamptz not null,
    revision integer not null,
    value numeric,
    quality text not null,
    watermark timestamptz not null,        -- of the series when the row was found
    contradicts_incident_id uuid references alert.incident,
    eval_run_id bigint references alert.eval_run,
    recorded_at timestamptz not null default clock_timestamp(),
    unique (rule_id, entity_type, entity_id, period_end, revision)
);

-- The 64-bit transaction id of a row's writer, for pg_visible_in_snapshot: "was this row there when that run looked?"
create function alert.row_xid(x xid) returns xid8 language sql stable as $$
    select ((case when low > (top & 4294967295) then (top >> 32) - 1 else top >> 32 end << 32) | low)::text::xid8
    from (select x::text::bigint as low, pg_snapshot_xmax(pg_current_snapshot())::text::bigint as top) ids
$$;

create table alert.heartbeat (
    service text primary key,
    beat_at timestamptz not null,
    detail jsonb not null default '{}'
);

-- ---------------------------------------------------------------------------------------------------------------------
-- Notify
-- ---------------------------------------------------------------------------------------------------------------------

create table notify.route (
    route_id bigint generated always as identity primary key,
    code text not null unique,
    name_vi text not null,
    domain text,                           -- null = every domain
    rule_code_pattern text not null default '%',
    kinds text[] not null default '{value}',
    min_level integer not null default 1 check (min_level between 1 and 4),
    unit_mode text not null check (unit_mode in ('incident_unit', 'rule_owner', 'fixed')),
    unit_code text,
    roles text[] not null,
    channels text[] not null,
    group_by text not null default 'rule_unit' check (group_by in ('rule_unit', 'rule', 'incident', 'source')),
    group_wait interval not null default interval '0',
    group_interval interval not null default interval '5 minutes',
    is_fallback boolean not null default false,
    is_enabled boolean not null default true,
    check ((unit_mode = 'fixed') = (unit_code is not null))
);
create unique index one_fallback on notify.route (is_fallback) where is_fallback;

create table notify.grp (
    group_id bigint generated always as identity primary key,
    route_id bigint not null references notify.route,
    group_key text not null,
    first_seen timestamptz,                -- of the oldest difference not yet told; null = nothing to tell
    last_flush timestamptz,
    flush_seq integer not null default 0,
    unique (route_id, group_key)
);

-- What a route was last told about an incident. No row = never told = level 0.
create table notify.notice_state (
    incident_id uuid not null references alert.incident,
    route_id bigint not null references notify.route,
    told_level integer not null check (told_level between 0 and 4),
    told_at timestamptz not null,
    primary key (incident_id, route_id)
);
create index told_something on notify.notice_state (incident_id) where told_level > 0;

-- What a person was last told about an incident on a channel, by whichever route: two routes that lead to the same
-- person are one message.
create table notify.told (
    incident_id uuid not null references alert.incident,
    contact_id bigint not null references ref.contact,
    channel text not null,
    level integer not null check (level between 0 and 4),
    told_at timestamptz not null,
    primary key (incident_id, contact_id, channel)
);

create table notify.template (
    template_id bigint generated always as identity primary key,
    code text not null,
    channel text not null,
    version integer not null,
    subject text not null default '',
    body text not null,
    body_html text not null default '',
    provider_code text,
    segment_limit integer,
    status text not null default 'draft' check (status in ('draft', 'approved', 'retired')),
    author text not null,
    approved_by text,
    created_at timestamptz not null default clock_timestamp(),
    unique (code, channel, version),
    constraint two_people check (approved_by is null or approved_by <> author)
);

create table notify.outbox (
    outbox_id uuid primary key,            -- md5(dedupe_key): the request id on every retry
    dedupe_key text not null unique,       -- route|group|flush_seq|contact|channel
    route_id bigint references notify.route,
    group_id bigint references notify.grp,
    contact_id bigint references ref.contact,
    channel text not null,
    address text not null,
    level integer not null check (level between 0 and 4),
    subject text not null,
    body text not null,
    body_html text not null default '',
    template_id bigint references notify.template,
    incident_ids uuid[] not null default '{}',
    rule_version_ids bigint[] not null default '{}',
    status text not null default 'queued'
        check (status in ('queued', 'sending', 'accepted', 'delivered', 'failed', 'unknown', 'dropped')),
    not_before timestamptz not null,       -- quiet hours, back-off after a refusal
    lease_until timestamptz,
    attempt_count integer not null default 0,
    provider_id text,
    provider_code text,
    last_error text,
    created_at timestamptz not null,
    accepted_at timestamptz,
    finished_at timestamptz,
    check ((status = 'sending') = (lease_until is not null))
);
create index outbox_due on notify.outbox (channel, not_before) where status in ('queued', 'sending');
create index on notify.outbox (created_at desc);
create index on notify.outbox using gin (incident_ids);

create table notify.attempt (
    attempt_id bigint generated always as identity primary key,
    outbox_id uuid not null references notify.outbox,
    number integer not null,
    claimed_at timestamptz not null,
    finished_at timestamptz,
    outcome text check (outcome in ('accepted', 'delivered', 'retry', 'failed', 'expired', 'unknown')),
    provider_code text,
    error text,
    unique (outbox_id, number)
);

-- Token buckets: provider, contact, rule, month.
create table notify.bucket (
    scope text not null check (scope in ('provider', 'contact', 'rule', 'month')),
    key text not null,
    capacity numeric not null check (capacity > 0),
    refill_per_second numeric not null check (refill_per_second >= 0),
    tokens numeric not null,
    updated_at timestamptz not null,
    primary key (scope, key)
);

-- The portal's inbox: in the same database, so a message arrives exactly once.
create table notify.inbox (
    inbox_id bigint generated always as identity primary key,
    outbox_id uuid not null unique references notify.outbox,
    contact_id bigint not null references ref.contact,
    level integer not null,
    subject text not null,
    body text not null,
    incident_ids uuid[] not null default '{}',
    created_at timestamptz not null,
    read_at timestamptz
);
create index on notify.inbox (contact_id, inbox_id desc);

-- ---------------------------------------------------------------------------------------------------------------------
-- SOP: procedures, cases, tasks, clocks
-- ---------------------------------------------------------------------------------------------------------------------

create table sop.template (
    template_id bigint generated always as identity primary key,
    code text not null,
    version integer not null,
    title_vi text not null,
    title_en text not null,
    status text not null default 'draft' check (status in ('draft', 'approved', 'retired')),
    legal_basis text not null default '',
    author text not null,
    approved_by text,
    approved_at timestamptz,
    created_at timestamptz not null default clock_timestamp(),
    unique (code, version),
    constraint two_people check (approved_by is null or approved_by <> author),
    constraint approved_by_somebody check ((status = 'draft') = (approved_by is null))
);

create table sop.step (
    step_id bigint generated always as identity primary key,
    template_id bigint not null references sop.template,
    code text not null,
    position integer not null,
    title_vi text not null,
    title_en text not null,
    instruction_vi text not null default '',
    unit_mode text not null check (unit_mode in ('incident_unit', 'rule_owner', 'fixed')),
    unit_code text,
    role text not null,
    depends_on text[] not null default '{}',
    condition text,
    sla interval not null check (sla > interval '0'),
    calendar_code text references ref.calendar,         -- null = clock time
    outcomes text[] not null default '{done}',
    evidence_required boolean not null default false,
    directive_vi text,
    unique (template_id, code),
    check ((unit_mode = 'fixed') = (unit_code is not null))
);

create table sop.case_ (
    case_id bigint generated always as identity primary key,
    code text not null unique,
    template_id bigint references sop.template,
    incident_id uuid references alert.incident,
    title_vi text not null,
    unit_code text,
    level integer not null check (level between 1 and 4),
    status text not null default 'open' check (status in ('open', 'closed', 'cancelled')),
    snapshot jsonb not null,               -- template, steps, chain and incident as they were when it was opened
    opened_by text not null,
    opened_at timestamptz not null,
    closed_by text,
    closed_at timestamptz,
    close_reason text,
    closed_while_firing boolean not null default false,
    constraint closed_whole check ((status = 'open') = (closed_at is null)),
    constraint reason_when_closed check (status = 'open' or close_reason is not null)
);
create unique index one_case_per_incident on sop.case_ (incident_id) where incident_id is not null;

create table sop.task (
    task_id bigint generated always as identity primary key,
    case_id bigint not null references sop.case_,
    step_code text not null,
    status text not null default 'waiting' check (status in (
        'waiting', 'ready', 'assigned', 'accepted', 'in_progress', 'done', 'rejected', 'skipped', 'cancelled')),
    unit_code text,
    role text not null,
    assignee text,
    ready_at timestamptz,
    due_at timestamptz,
    accepted_at timestamptz,
    finished_at timestamptz,
    outcome text,
    note text,
    evidence jsonb not null default '[]',  -- file name, SHA-256, size, who, when
    unique (case_id, step_code),
    constraint done_has_outcome check (status <> 'done' or outcome is not null)
);
create index on sop.task (unit_code, status);

create table sop.escalation_chain (
    chain_id bigint generated always as identity primary key,
    code text not null,
    position integer not null,
    after interval not null check (after >= interval '0'),
    condition text not null check (condition in ('not_acked', 'not_accepted', 'not_done', 'overdue')),
    roles text[] not null,
    unit_hop integer not null default 0 check (unit_hop >= 0),
    channels text[] not null,
    calendar_code text references ref.calendar,
    unique (code, position)
);

create table sop.timer (
    timer_id bigint generated always as identity primary key,
    incident_id uuid references alert.incident,
    case_id bigint references sop.case_,
    task_id bigint references sop.task,
    chain_code text not null,
    position integer not null,
    condition text not null,
    due_at timestamptz not null,
    status text not null default 'armed' check (status in ('armed', 'fired', 'cancelled')),
    finished_at timestamptz,
    skip_reason text,
    check (num_nonnulls(incident_id, case_id, task_id) >= 1),
    check ((status = 'armed') = (finished_at is null))
);
create index timer_due on sop.timer (due_at) where status = 'armed';
create unique index one_armed_timer on sop.timer (incident_id, case_id, task_id, chain_code, position)
    nulls not distinct where status = 'armed';

-- ---------------------------------------------------------------------------------------------------------------------
-- Audit: an append-only chain of hashes
-- ---------------------------------------------------------------------------------------------------------------------

create table audit.event (
    event_id bigint primary key,
    occurred_at timestamptz not null,
    actor text not null,
    action text not null,
    object_type text not null,
    object_id text not null,
    detail jsonb not null default '{}',
    prev_hash bytea not null unique,       -- unique: a chain cannot fork
    hash bytea not null unique
);
create index on audit.event (object_type, object_id);

create function audit.event_hash(e audit.event) returns bytea language sql stable as $$
    select sha256(e.prev_hash || convert_to(jsonb_build_array(
        e.event_id, extract(epoch from e.occurred_at), e.actor, e.action, e.object_type, e.object_id, e.detail
    )::text, 'UTF8'))
$$;

create function audit.chain() returns trigger language plpgsql as $$
declare
    last audit.event;
begin
    perform pg_advisory_xact_lock(hashtext('audit.event'));
    select * into last from audit.event order by event_id desc limit 1;
    new.event_id := coalesce(last.event_id, 0) + 1;
    new.prev_hash := coalesce(last.hash, sha256('ioc'::bytea));
    new.hash := audit.event_hash(new);
    return new;
end $$;
create trigger chain before insert on audit.event for each row execute function audit.chain();
create trigger frozen before update or delete on audit.event for each row execute function alert.refuse_change();
create trigger frozen_whole before truncate on audit.event for each statement execute function alert.refuse_change();

-- The first event that does not fit the chain (changed, removed or put in), null when it is whole. An event cut off
-- the end shows by comparing the newest hash with one that was written down elsewhere.
create function audit.first_broken_event() returns bigint language sql stable as $$
    select min(c.event_id) from (
        select e.event_id,
            e.hash = audit.event_hash(e)
                and e.prev_hash = coalesce(lag(e.hash) over (order by e.event_id), sha256('ioc'::bytea))
                and e.event_id = coalesce(lag(e.event_id) over (order by e.event_id), 0) + 1 as fits
        from audit.event e) c
    where not c.fits
$$;

-- ---------------------------------------------------------------------------------------------------------------------
-- Grants
-- ---------------------------------------------------------------------------------------------------------------------

grant usage on schema alert, notify, sop, audit to ioc_alerts, ioc_portal;

grant select, insert, update, delete on alerting.entity to ioc_transformer;
grant select on alerting.entity to ioc_alerts, ioc_portal;
grant usage on schema alerting to ioc_portal;
grant select on alerting.signal to ioc_portal;

grant select on ref.org_unit, ref.unit_succession, ref.contact, ref.duty_shift, ref.calendar, ref.work_segment,
    ref.holiday to ioc_alerts, ioc_portal;
grant select on ref.org_unit, ref.unit_succession, ref.calendar, ref.work_segment, ref.holiday to ioc_transformer;

grant select, insert, update, delete on all tables in schema alert, notify, sop to ioc_alerts;
grant maintain on alert.series_state, alert.incident, alert.transition, notify.outbox, notify.notice_state to ioc_alerts;
revoke update, delete on alert.transition from ioc_alerts;
grant select, insert on audit.event to ioc_alerts, ioc_portal;

grant select on all tables in schema alert, notify, sop to ioc_portal;
grant update (ack_by, ack_at, ack_until, ack_level, ack_note, ack_void_at) on alert.incident to ioc_portal;
grant insert, update (cancelled_at, cancelled_by) on alert.suppression to ioc_portal;
grant update (read_at) on notify.inbox to ioc_portal;
