-- Procedures at work: comments, directives, evidence, escalation.

-- ---------------------------------------------------------------------------------------------------------------------
-- Working time
-- ---------------------------------------------------------------------------------------------------------------------

-- The working hours of one civil day, holidays and make-up days considered (as in ref.is_working_time).
create function ref.work_time(calendar text, on_day date) returns table (starts_at timestamptz, ends_at timestamptz)
language sql stable as $$
    select (on_day + w.starts_at) at time zone 'Asia/Ho_Chi_Minh', (on_day + w.ends_at) at time zone 'Asia/Ho_Chi_Minh'
    from ref.work_segment w
    left join ref.holiday h on h.calendar_code = w.calendar_code and h.day = on_day
    where w.calendar_code = calendar and case h.kind
        when 'off' then false
        when 'make_up' then w.iso_weekday = 1
        else w.iso_weekday = extract(isodow from on_day)
    end
    order by 1
$$;

-- `start` plus `duration` of working time; a null calendar is clock time. With a calendar a day of the duration is a
-- working day (the hours of its Monday), and what ends with the working day is due then, not the next morning. A
-- duration of zero gives the first working moment from `start` on.
create function ref.add_work(calendar text, start timestamptz, duration interval) returns timestamptz
language plpgsql stable as $$
declare
    rest interval;
    begins timestamptz;
    segment record;
begin
    if calendar is null then
        return start + duration;
    end if;
    if extract(month from duration) <> 0 or extract(year from duration) <> 0 or duration < interval '0' then
        raise exception 'working time % must be hours or days, and not negative', duration
            using errcode = 'invalid_parameter_value';
    end if;
    select duration - make_interval(days => extract(day from duration)::int)
        + extract(day from duration)::int * sum(w.ends_at - w.starts_at) into rest
    from ref.work_segment w where w.calendar_code = calendar and w.iso_weekday = 1;
    if rest is null then
        raise exception 'calendar % has no working time', calendar using errcode = 'invalid_parameter_value';
    end if;
    for ahead in 0..3660 loop
        for segment in
            select * from ref.work_time(calendar, (start at time zone 'Asia/Ho_Chi_Minh')::date + ahead) w
            where w.ends_at > start
        loop
            begins := greatest(segment.starts_at, start);
            if rest <= segment.ends_at - begins then
                return begins + rest;
            end if;
            rest := rest - (segment.ends_at - begins);
        end loop;
    end loop;
    raise exception 'no end of % of working time within ten years', duration using errcode = 'invalid_parameter_value';
end $$;

-- Working time between two moments (negative when they are the wrong way round); a null calendar is clock time.
create function ref.work_between(calendar text, since timestamptz, upto timestamptz) returns interval
language sql stable as $$
    select case
        when calendar is null then upto - since
        else (case when upto < since then -1 else 1 end) * coalesce((
            select sum(least(w.ends_at, greatest(since, upto)) - greatest(w.starts_at, least(since, upto)))
            from generate_series(
                (least(since, upto) at time zone 'Asia/Ho_Chi_Minh')::date::timestamp,
                (greatest(since, upto) at time zone 'Asia/Ho_Chi_Minh')::date::timestamp, interval '1 day'
            ) d(day)
            cross join lateral ref.work_time(calendar, d.day::date) w
            where w.ends_at > least(since, upto) and w.starts_at < greatest(since, upto)
        ), interval '0')
    end
$$;

-- Who holds the place of a unit on a day: itself, or the unit it was merged into (the first by code when split).
create function ref.unit_today(code text, on_day date) returns text language sql stable as $$
    with recursive line as (
        select code as unit_code, array[code] as seen
        union all
        select s.new_code, l.seen || s.new_code
        from line l
        join ref.unit_succession s on s.old_code = l.unit_code and s.effective_on <= on_day
        where s.new_code <> all(l.seen)
    )
    select l.unit_code from line l
    where not exists (
        select from ref.unit_succession s where s.old_code = l.unit_code and s.effective_on <= on_day
            and s.new_code <> all(l.seen))
    order by l.unit_code limit 1
$$;

-- Whether what belonged to `unit` belongs to one of `units` now: mergers must orphan no case.
create function ref.is_of(unit text, units text[]) returns boolean language sql stable as $$
    select unit = any(units) or ref.unit_today(unit, (clock_timestamp() at time zone 'Asia/Ho_Chi_Minh')::date) = any(units)
$$;

-- ---------------------------------------------------------------------------------------------------------------------
-- Templates: what the first form left open, and the freeze
-- ---------------------------------------------------------------------------------------------------------------------

alter table sop.template
    add column chain_code text,
    add column incident_kinds text[] not null default '{value}',
    add column reason text not null default '';
alter table sop.step add column outcome_labels jsonb not null default '{}';       -- {code: {vi, en}}
-- The last step that waits for an acknowledgement repeats, so that nobody's silence ends an escalation.
alter table sop.escalation_chain add column repeat_every interval check (repeat_every > interval '0');

create function sop.freeze_template() returns trigger language plpgsql as $$
begin
    if old.status = 'draft' and tg_op = 'DELETE' then
        return old;
    end if;
    if old.status = 'draft' then
        return new;
    end if;
    if tg_op = 'UPDATE' and to_jsonb(new) - 'status' = to_jsonb(old) - 'status' and new.status = 'retired' then
        return new;
    end if;
    raise exception 'procedure template % is approved: make a new version', old.template_id
        using errcode = 'restrict_violation';
end $$;
create trigger frozen before update or delete on sop.template
    for each row execute function sop.freeze_template();

create function sop.freeze_step() returns trigger language plpgsql as $$
declare
    owner_id bigint := case when tg_op = 'INSERT' then new.template_id else old.template_id end;
begin
    if exists (select from sop.template t where t.template_id = owner_id and t.status <> 'draft') then
        raise exception 'steps of procedure template % are frozen: make a new version', owner_id
            using errcode = 'restrict_violation';
    end if;
    if tg_op = 'DELETE' then
        return old;
    end if;
    return new;
end $$;
create trigger frozen before insert or update or delete on sop.step
    for each row execute function sop.freeze_step();

-- ---------------------------------------------------------------------------------------------------------------------
-- Cases and tasks
-- ---------------------------------------------------------------------------------------------------------------------

create table sop.close_reason (
    code text primary key,
    position integer not null,
    name_vi text not null,
    name_en text not null,
    is_false_alarm boolean not null default false,
    while_firing boolean not null default false         -- may close a case whose incident is still open
);
insert into sop.close_reason values
    ('da-xu-ly', 1, 'Đã xử lý xong', 'Dealt with', false, false),
    ('bao-dong-gia', 2, 'Cảnh báo giả', 'False alarm', true, true),
    ('loi-thiet-bi', 3, 'Lỗi thiết bị hoặc dữ liệu', 'Device or data error', true, true),
    ('trung-lap', 4, 'Trùng với vụ việc khác', 'Duplicate of another case', false, true),
    ('chuyen-co-quan-khac', 5, 'Chuyển cơ quan khác có thẩm quyền', 'Handed to another authority', false, true),
    ('theo-doi-dai-han', 6, 'Chuyển theo dõi dài hạn', 'Long-term monitoring', false, true);

create sequence sop.case_number;
create sequence sop.directive_number;

alter table sop.case_
    add column owner_unit text,                         -- coordinates: the unit that answers for the rule
    add column round integer not null default 1,        -- of escalation: a higher level begins a new one
    add column close_note text,
    add foreign key (close_reason) references sop.close_reason;

create function sop.freeze_case() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or (new.code, new.template_id, new.incident_id, new.snapshot, new.opened_by, new.opened_at)
        is distinct from (old.code, old.template_id, old.incident_id, old.snapshot, old.opened_by, old.opened_at) then
        raise exception 'case % keeps what it was opened with', old.code using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger frozen before update or delete on sop.case_ for each row execute function sop.freeze_case();

alter table sop.task
    add column position integer not null default 1,
    add column title_vi text not null default '',
    add column title_en text not null default '',
    add column version integer not null default 1,      -- what a page saw: a second officer's act on it is refused
    add column updated_by text,
    add column updated_at timestamptz,
    add column announced_at timestamptz;
create index to_announce on sop.task (task_id) where announced_at is null and status in ('ready', 'rejected');

-- The only ways of a task from state to state, and the act that leads there.
create table sop.task_move (
    act text not null check (act in (
        'ready', 'assign', 'accept', 'start', 'finish', 'reject', 'skip', 'cancel', 'reopen')),
    from_status text not null,
    to_status text not null,
    primary key (act, from_status)
);
insert into sop.task_move (act, from_status, to_status)
select m.act, f.from_status, m.to_status
from (values
    ('ready', '{waiting}', 'ready'),
    ('assign', '{ready,assigned,accepted,in_progress,rejected}', 'assigned'),
    ('accept', '{ready,assigned}', 'accepted'),
    ('start', '{accepted}', 'in_progress'),
    ('finish', '{in_progress}', 'done'),
    ('reject', '{ready,assigned,accepted,in_progress}', 'rejected'),
    ('skip', '{waiting,ready,assigned,accepted,in_progress,rejected}', 'skipped'),
    ('cancel', '{waiting,ready,assigned,accepted,in_progress,rejected}', 'cancelled'),
    ('reopen', '{cancelled}', 'waiting')               -- with its case, when what was closed over has risen
) m(act, sources, to_status)
cross join lateral unnest(m.sources::text[]) f(from_status);

create function sop.check_task_move() returns trigger language plpgsql as $$
begin
    if new.status <> old.status and not exists (
        select from sop.task_move m where (m.from_status, m.to_status) = (old.status, new.status)
    ) then
        raise exception 'task %: no way from % to %', old.task_id, old.status, new.status
            using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger moves before update on sop.task for each row execute function sop.check_task_move();

alter table sop.timer add column round integer not null default 1;
create index on sop.timer (case_id, condition) where status = 'armed';

-- ---------------------------------------------------------------------------------------------------------------------
-- Comments, evidence, directives
-- ---------------------------------------------------------------------------------------------------------------------

create table sop.comment (
    comment_id bigint generated always as identity primary key,
    case_id bigint not null references sop.case_,
    task_id bigint references sop.task,
    author text not null,
    body text not null check (length(trim(body)) > 0),
    created_at timestamptz not null
);
create index on sop.comment (case_id);

-- The content lies in IOC_HOME/evidence under its SHA-256.
create table sop.attachment (
    attachment_id bigint generated always as identity primary key,
    case_id bigint not null references sop.case_,
    task_id bigint references sop.task,
    file_name text not null,
    media_type text not null,
    size_bytes bigint not null check (size_bytes > 0),
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    uploaded_by text not null,
    uploaded_at timestamptz not null
);
create index on sop.attachment (case_id);

-- A written instruction of a leader to units.
create table sop.directive (
    directive_id bigint generated always as identity primary key,
    number text not null unique,
    case_id bigint not null references sop.case_,
    task_id bigint references sop.task,
    issued_by text not null,
    issued_at timestamptz not null,
    body text not null check (length(trim(body)) > 0),
    due_at timestamptz not null,
    check (due_at > issued_at)
);
create index on sop.directive (case_id);
create table sop.directive_recipient (
    directive_id bigint not null references sop.directive,
    unit_code text not null,
    finished_at timestamptz,
    told_at timestamptz,
    overdue_told_at timestamptz,
    primary key (directive_id, unit_code)
);
create index on sop.directive_recipient (unit_code) where finished_at is null;
create table sop.directive_progress (
    directive_progress_id bigint generated always as identity primary key,
    directive_id bigint not null,
    unit_code text not null,
    author text not null,
    body text not null check (length(trim(body)) > 0),
    percent integer not null check (percent between 0 and 100),
    created_at timestamptz not null,
    foreign key (directive_id, unit_code) references sop.directive_recipient
);
create index on sop.directive_progress (directive_id);

create trigger frozen before update or delete on sop.comment for each row execute function alert.refuse_change();
create trigger frozen before update or delete on sop.attachment for each row execute function alert.refuse_change();
create trigger frozen before update or delete on sop.directive for each row execute function alert.refuse_change();
create trigger frozen before update or delete on sop.directive_progress
    for each row execute function alert.refuse_change();

-- ---------------------------------------------------------------------------------------------------------------------
-- Indicators
-- ---------------------------------------------------------------------------------------------------------------------

-- A task and its times, in seconds of the clock. Overdue: finished after its deadline, or not finished and past it.
create view sop.task_time as
select t.task_id, t.case_id, c.code as case_code, c.title_vi as case_title_vi, c.level, c.status as case_status,
    c.snapshot #>> '{template,code}' as template_code, c.snapshot #>> '{rule,code}' as rule_code,
    t.step_code, t.title_vi, t.title_en, t.unit_code, t.role, t.assignee, t.status, t.outcome,
    t.ready_at, t.due_at, t.accepted_at, t.finished_at,
    extract(epoch from t.accepted_at - t.ready_at)::float8 as accept_s,
    case t.status when 'done' then extract(epoch from t.finished_at - t.ready_at)::float8 end as finish_s,
    t.status not in ('waiting', 'skipped', 'cancelled') and t.due_at is not null
        and coalesce(case t.status when 'done' then t.finished_at end, clock_timestamp()) > t.due_at as is_overdue
from sop.task t
join sop.case_ c using (case_id);

-- An incident and how soon it was acknowledged: from the first message about it to the first acknowledgement.
create view sop.incident_response as
select i.incident_id, r.code as rule_code, r.owner_unit, i.unit_code, i.kind, i.peak_level, i.opened_at, i.closed_at,
    told.told_at, acked.acked_at, acked.acked_by,
    extract(epoch from acked.acked_at - told.told_at)::float8 as ack_s
from alert.incident i
join alert.rule r using (rule_id)
left join lateral (
    select min(o.created_at) as told_at from notify.outbox o where o.incident_ids @> array[i.incident_id]
) told on true
left join lateral (
    select e.occurred_at as acked_at, e.actor as acked_by from audit.event e
    where e.object_type = 'incident' and e.object_id = i.incident_id::text and e.action = 'incident.acknowledged'
    order by e.event_id limit 1
) acked on true;

-- Closed cases and why: what the review of thresholds reads.
create view sop.case_closure as
select c.case_id, c.code, c.title_vi, c.unit_code, c.owner_unit, c.level, c.opened_at, c.closed_at, c.closed_by,
    c.snapshot #>> '{template,code}' as template_code, c.snapshot #>> '{rule,code}' as rule_code,
    c.close_reason, w.name_vi as close_reason_vi, w.name_en as close_reason_en, w.is_false_alarm, c.closed_while_firing,
    extract(epoch from c.closed_at - c.opened_at)::float8 as open_s
from sop.case_ c
join sop.close_reason w on w.code = c.close_reason
where c.status <> 'open';

-- Per unit: of the incidents of its rules told in the period, of its tasks that became ready in the period.
create function sop.unit_indicators(since timestamptz, upto timestamptz, as_of timestamptz default clock_timestamp())
returns table (
    unit_code text, incident_count bigint, acked_count bigint, ack_median_s float8, ack_p90_s float8,
    task_count bigint, done_count bigint, accept_median_s float8, accept_p90_s float8, finish_median_s float8,
    finish_p90_s float8, overdue_count bigint, overdue_share float8
) language sql stable as $$
    with response as (
        select r.owner_unit as unit_code, count(*) as incident_count, count(r.ack_s) as acked_count,
            percentile_cont(0.5) within group (order by r.ack_s) as ack_median_s,
            percentile_cont(0.9) within group (order by r.ack_s) as ack_p90_s
        from sop.incident_response r where r.told_at >= since and r.told_at < upto
        group by r.owner_unit
    ),
    work as (
        select t.unit_code, count(*) as task_count, count(t.finish_s) as done_count,
            percentile_cont(0.5) within group (order by t.accept_s) as accept_median_s,
            percentile_cont(0.9) within group (order by t.accept_s) as accept_p90_s,
            percentile_cont(0.5) within group (order by t.finish_s) as finish_median_s,
            percentile_cont(0.9) within group (order by t.finish_s) as finish_p90_s,
            count(*) filter (where t.due_at < coalesce(case t.status when 'done' then t.finished_at end, as_of))
                as overdue_count
        from sop.task_time t
        where t.ready_at >= since and t.ready_at < upto and t.status not in ('skipped', 'cancelled')
        group by t.unit_code
    )
    select coalesce(r.unit_code, w.unit_code), coalesce(r.incident_count, 0), coalesce(r.acked_count, 0),
        r.ack_median_s, r.ack_p90_s, coalesce(w.task_count, 0), coalesce(w.done_count, 0), w.accept_median_s,
        w.accept_p90_s, w.finish_median_s, w.finish_p90_s, coalesce(w.overdue_count, 0),
        w.overdue_count::float8 / w.task_count
    from response r full join work w on w.unit_code = r.unit_code
$$;

-- Per rule: how many of its cases closed in the period were false alarms.
create function sop.rule_false_alarms(since timestamptz, upto timestamptz)
returns table (rule_code text, closed_count bigint, false_count bigint, false_share float8) language sql stable as $$
    select c.rule_code, count(*), count(*) filter (where c.is_false_alarm),
        (count(*) filter (where c.is_false_alarm))::float8 / count(*)
    from sop.case_closure c
    where c.rule_code is not null and c.closed_at >= since and c.closed_at < upto
    group by c.rule_code
$$;

-- ---------------------------------------------------------------------------------------------------------------------
-- Grants
-- ---------------------------------------------------------------------------------------------------------------------

grant select on all tables in schema sop to ioc_alerts, ioc_portal;
grant insert, update, delete on sop.template, sop.step, sop.escalation_chain to ioc_portal;
grant insert, update on sop.case_, sop.task, sop.timer to ioc_portal;
grant insert on sop.comment, sop.attachment, sop.directive, sop.directive_recipient, sop.directive_progress
    to ioc_portal, ioc_alerts;
grant update on sop.directive_recipient to ioc_portal, ioc_alerts;
grant select on sop.close_reason, sop.case_closure to ioc_transformer;
grant usage on all sequences in schema sop to ioc_portal, ioc_alerts;
