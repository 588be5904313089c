-- What holds messages back, outages of sources, and corrections that people are told of.

-- ---------------------------------------------------------------------------------------------------------------------
-- Suppressions: a domain, hours of the week, and the register of series that are known to be dead
-- ---------------------------------------------------------------------------------------------------------------------

alter table alert.suppression
    add column domain text,                             -- null = every domain
    add column iso_weekdays integer[],                  -- mute_timing: days on which it begins, null = every day
    add column daily_from time,                         -- mute_timing: civil time in Viet Nam; may run across midnight
    add column daily_to time,
    add column is_known_dead boolean not null default false,
    add column reviewed_at timestamptz,
    add column reviewed_by text,
    add constraint hours_whole check (num_nulls(daily_from, daily_to) in (0, 2) and daily_from <> daily_to),
    add constraint only_mute_times_recur check (
        kind = 'mute_timing' or num_nonnulls(iso_weekdays, daily_from, calendar_code) = 0),
    add constraint weekdays_of_the_week check (iso_weekdays <@ '{1,2,3,4,5,6,7}' and iso_weekdays <> '{}'),
    add constraint dead_series_are_named check (
        not is_known_dead or (kind = 'silence' and incident_kind = 'nodata' and entity_pattern <> '%')),
    add constraint reviewed_whole check (num_nulls(reviewed_at, reviewed_by) in (0, 2)),
    add constraint inhibited_by_an_incident check ((kind = 'inhibit') = (source_incident_id is not null));
create index on alert.suppression (source_incident_id) where source_incident_id is not null;

-- Whether what a unit answers for includes an incident: it happened there, or in a unit that was merged into it, or the
-- unit owns the rule.
-- PL/pgSQL keeps its plans: this is asked for every message that is due.
create function alert.unit_answers(unit text, rule_code text, incident_unit text, at timestamptz)
returns boolean language plpgsql stable cost 200 as $$
begin
    if unit = incident_unit then
        return true;
    elsif exists (select from alert.rule r where r.code = rule_code and r.owner_unit = unit) then
        return true;
    elsif not exists (select from ref.unit_succession s where s.new_code = unit) then
        return false;
    end if;
    return exists (
        with recursive today (code) as (
            select incident_unit
            union
            select s.new_code from today t
            join ref.unit_succession s on s.old_code = t.code and s.effective_on <= at::date
        )
        select from today where today.code = unit);
end $$;

create function alert.is_of_domain(rule_code text, domain text) returns boolean language sql stable cost 100 as $$
    select exists (select from alert.rule r where r.code = is_of_domain.rule_code and r.domain = is_of_domain.domain)
$$;

-- Which incidents a suppression is about, whatever the time and level. One expression: the planner puts it in place.
create function alert.is_about(
    s alert.suppression, rule_code text, entity_id text, unit_code text, kind text, at timestamptz
) returns boolean language sql stable as $$
    select (s.incident_kind is null or s.incident_kind = kind)
        and rule_code like s.rule_code_pattern and entity_id like s.entity_pattern
        and (s.domain is null or alert.is_of_domain(rule_code, s.domain))
        and (s.unit_code is null or alert.unit_answers(s.unit_code, rule_code, unit_code, at))
$$;

-- Whether a suppression holds at a moment: inside its range, not lifted, and in its hours when it recurs.
create function alert.holds_at(s alert.suppression, at timestamptz) returns boolean language sql stable as $$
    select s.during @> at and (s.cancelled_at is null or s.cancelled_at > at)
        and (s.calendar_code is null or not ref.is_working_time(s.calendar_code, at))
        and case
            when s.daily_from is null then
                s.iso_weekdays is null
                or extract(isodow from at at time zone 'Asia/Ho_Chi_Minh') = any(s.iso_weekdays)
            when (at at time zone 'Asia/Ho_Chi_Minh')::time >= s.daily_from then
                ((at at time zone 'Asia/Ho_Chi_Minh')::time < s.daily_to or s.daily_to < s.daily_from)
                and (s.iso_weekdays is null
                    or extract(isodow from at at time zone 'Asia/Ho_Chi_Minh') = any(s.iso_weekdays))
            else
                -- The small hours belong to the evening before.
                s.daily_to < s.daily_from and (at at time zone 'Asia/Ho_Chi_Minh')::time < s.daily_to
                and (s.iso_weekdays is null
                    or extract(isodow from (at - interval '1 day') at time zone 'Asia/Ho_Chi_Minh')
                        = any(s.iso_weekdays))
        end
$$;

-- The one check, for the reconciler and for timers: would a message about this incident be held back at this moment?
-- `level` is the highest level that the message speaks of.
create function alert.is_suppressed(
    rule_code text, entity_id text, unit_code text, kind text, level integer, at timestamptz
) returns boolean language plpgsql stable cost 1000 as $$
begin
    return exists (
        select from alert.suppression s
        where s.during @> at and level <= s.max_level
            and alert.is_about(s, is_suppressed.rule_code, is_suppressed.entity_id, is_suppressed.unit_code,
                is_suppressed.kind, at)
            and alert.holds_at(s, at));
end $$;

-- Beginning and end of a window were told; written with the messages, in one transaction.
create table alert.window_notice (
    suppression_id bigint not null references alert.suppression,
    moment text not null check (moment in ('start', 'end')),
    told_at timestamptz not null,
    primary key (suppression_id, moment)
);
-- Windows from before this table: nobody wants to hear of them again.
insert into alert.window_notice
select suppression_id, moment, clock_timestamp() from alert.suppression
cross join unnest(array['start', 'end']) as moment
where moment = 'start' or upper(during) <= clock_timestamp() or cancelled_at is not null;

-- ---------------------------------------------------------------------------------------------------------------------
-- Sources: a rule may watch the pipeline of its domain instead of a signal
-- ---------------------------------------------------------------------------------------------------------------------

alter table alert.rule
    add column watches text not null default 'signal' check (watches in ('signal', 'source'));
create unique index one_source_rule on alert.rule (domain) where watches = 'source';

-- ---------------------------------------------------------------------------------------------------------------------
-- Corrections
-- ---------------------------------------------------------------------------------------------------------------------

alter table alert.incident
    add column corrected_at timestamptz,                -- a late correction contradicted it; found at
    add column correction jsonb,                        -- what the corrected data say
    add column correction_told_at timestamptz;
create index correction_to_tell on alert.incident (corrected_at)
    where corrected_at is not null and correction_told_at is null;

-- Whether an open incident is contradicted takes a fold of its series; rows that touch none are judged at once.
alter table alert.late_observation add column is_judged boolean not null default true;
create index late_to_judge on alert.late_observation (rule_id, entity_type, entity_id) where not is_judged;
create index on alert.late_observation (recorded_at);

-- One row per civil day, rule and series: what came late, and what of it corrected a value already judged.
create view alert.restatement as
select (l.recorded_at at time zone 'Asia/Ho_Chi_Minh')::date as day, r.code as rule_code, r.domain, l.rule_id,
    l.entity_type, l.entity_id, count(*) as late_count, count(*) filter (where l.revision > 1) as corrected_count,
    min(l.period_end) as first_period, max(l.period_end) as last_period,
    array_remove(array_agg(distinct l.contradicts_incident_id), null) as contradicted_incidents
from alert.late_observation l join alert.rule r using (rule_id)
group by 1, 2, 3, 4, 5, 6;

grant select, insert on alert.window_notice to ioc_alerts;
grant select on alert.window_notice, alert.restatement to ioc_portal;
grant select on alert.restatement to ioc_alerts;
grant update (during, reviewed_at, reviewed_by) on alert.suppression to ioc_portal;
grant select on ops.load_batch to ioc_alerts;
