-- What the portal administers: units, webhooks, limits, public alerts, new rules; and forms that count once.

-- ---------------------------------------------------------------------------------------------------------------------
-- Forms: a double click is one act
-- ---------------------------------------------------------------------------------------------------------------------

-- A form that was sent, by the digest of its number and its content. The second sending waits for the first and goes
-- where that went. Rows are kept for a day.
create table portal.form_use (
    account_id bigint not null,
    form_key bytea not null,
    claimed_at timestamptz not null default clock_timestamp(),
    location text,                         -- where the first sender was sent; null = still being worked on
    primary key (account_id, form_key)
);
create index on portal.form_use (claimed_at);
grant select, insert, update, delete on portal.form_use to ioc_portal;

-- ---------------------------------------------------------------------------------------------------------------------
-- Public alerts: what citizens are told is proposed by one person and decided on by another
-- ---------------------------------------------------------------------------------------------------------------------

create table alert.public_proposal (
    proposal_id bigint generated always as identity primary key,
    rule_code text not null,
    content jsonb not null,                -- the columns of alert.public_rule, and "advice": rows of alert.public_advice
    reason text not null check (length(trim(reason)) > 0),
    author text not null,
    created_at timestamptz not null,
    status text not null default 'open' check (status in ('open', 'approved', 'rejected')),
    decided_by text,
    decided_at timestamptz,
    decision_note text,
    constraint decided_whole check (
        (status = 'open') = (decided_by is null) and (decided_by is null) = (decided_at is null)),
    constraint two_people check (status <> 'approved' or decided_by <> author)
);
create unique index one_open_public_proposal on alert.public_proposal (rule_code) where status = 'open';

create function alert.freeze_public_proposal() returns trigger language plpgsql as $$
declare
    may_change constant text[] := array['status', 'decided_by', 'decided_at', 'decision_note'];
begin
    if tg_op = 'DELETE' or old.status <> 'open' or to_jsonb(new) - may_change <> to_jsonb(old) - may_change then
        raise exception 'public proposal % stays as it was written', old.proposal_id
            using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger frozen before update or delete on alert.public_proposal
    for each row execute function alert.freeze_public_proposal();

-- The only way of the portal to what citizens are told: an open proposal, decided on by somebody else than its author.
create function alert.decide_public(proposal bigint, is_approved boolean, by text, note text, at timestamptz)
returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    it alert.public_proposal;
begin
    update alert.public_proposal p
    set status = case when is_approved then 'approved' else 'rejected' end, decided_by = by, decided_at = at,
        decision_note = nullif(note, '')
    where p.proposal_id = proposal and p.status = 'open'
    returning * into it;
    if not found then
        raise exception 'public proposal % is not open', proposal using errcode = 'no_data_found';
    end if;
    if not is_approved then
        return;
    end if;
    insert into alert.public_rule (rule_code, min_level, category, event_vi, event_en, headline_vi, headline_en,
        radius_km, is_enabled, reason)
    select it.rule_code, c.min_level, c.category, c.event_vi, c.event_en, c.headline_vi, c.headline_en, c.radius_km,
        c.is_enabled, it.reason
    from jsonb_populate_record(null::alert.public_rule, it.content) c
    on conflict (rule_code) do update set min_level = excluded.min_level, category = excluded.category,
        event_vi = excluded.event_vi, event_en = excluded.event_en, headline_vi = excluded.headline_vi,
        headline_en = excluded.headline_en, radius_km = excluded.radius_km, is_enabled = excluded.is_enabled,
        reason = excluded.reason;
    delete from alert.public_advice a where a.rule_code = it.rule_code;
    insert into alert.public_advice (rule_code, level, response, advice_vi, advice_en)
    select it.rule_code, a.level, a.response, a.advice_vi, a.advice_en
    from jsonb_populate_recordset(null::alert.public_advice, it.content -> 'advice') a;
end $$;
revoke execute on function alert.decide_public from public;

grant select on alert.public_proposal to ioc_portal, ioc_alerts;
grant insert (rule_code, content, reason, author, created_at) on alert.public_proposal to ioc_portal;
grant execute on function alert.decide_public to ioc_portal;

-- ---------------------------------------------------------------------------------------------------------------------
-- Rules, webhooks, limits
-- ---------------------------------------------------------------------------------------------------------------------

-- A rule whose only draft was thrown away goes with it; one with any version left stays.
create function alert.forget_rule(code text) returns void language sql security definer
set search_path = pg_catalog, pg_temp as $$
    delete from alert.rule r
    where r.code = forget_rule.code and not exists (select from alert.rule_version v where v.rule_id = r.rule_id)
$$;
revoke execute on function alert.forget_rule from public;
grant execute on function alert.forget_rule to ioc_portal;
alter table notify.webhook_endpoint
    add column key_shown_at timestamptz,       -- when the key of this number was handed out
    add column key_shown_by text;
grant insert (contact_id, url, created_by, created_at), update (key_version, is_enabled, key_shown_at, key_shown_by)
    on notify.webhook_endpoint to ioc_portal;
grant update (capacity, per) on notify.rate_limit to ioc_portal;

-- ---------------------------------------------------------------------------------------------------------------------
-- Units
-- ---------------------------------------------------------------------------------------------------------------------

alter table ref.org_unit add column citation text;         -- the decision that made, renamed or moved it

-- What is in force is history: incidents were routed by it. Only what is still to come can be taken back.
create function ref.keep_succession() returns trigger language plpgsql as $$
begin
    if current_user = 'ioc_portal' and old.effective_on <= (clock_timestamp() at time zone 'Asia/Ho_Chi_Minh')::date then
        raise exception 'the succession of % by % is in force: it stays', old.old_code, old.new_code
            using errcode = 'restrict_violation';
    end if;
    return old;
end $$;
create trigger kept before delete on ref.unit_succession for each row execute function ref.keep_succession();

grant insert, update (valid) on ref.org_unit to ioc_portal;
grant insert, delete on ref.unit_succession to ioc_portal;
