-- Gateways, receipts, push subscriptions and webhooks.

-- ---------------------------------------------------------------------------------------------------------------------
-- Outbox: by which gateway, how often marked as sent again, when to ask for the fate of an accepted message
-- ---------------------------------------------------------------------------------------------------------------------

alter table notify.outbox
    -- The gateway that has, or may have, this message: a repetition must go to the same one. Null = any.
    add column gateway text,
    -- Gateways that will not take it (wrong template, network not served): another one may.
    add column refused_by text[] not null default '{}',
    -- How often it went out marked "(gửi lại)" because nobody could say whether the last sending had arrived.
    add column resend_count integer not null default 0,
    -- Accepted by a gateway that reports delivery: when to ask it, if no receipt has come. Null = never, or no longer.
    add column next_poll_at timestamptz;
alter table notify.attempt add column gateway text;

drop index notify.outbox_due;
create index outbox_queue on notify.outbox (channel, level desc, created_at, outbox_id) include (not_before)
    where status = 'queued';
create index outbox_lease on notify.outbox (lease_until) where status = 'sending';
create index outbox_poll on notify.outbox (next_poll_at) where status = 'accepted' and next_poll_at is not null;
create index outbox_provider on notify.outbox (gateway, provider_id) where provider_id is not null;
create index outbox_trouble on notify.outbox (finished_at) where status in ('unknown', 'failed');

-- How a gateway is. A gateway that takes nothing (no balance, credentials refused, unreachable) is left alone until
-- retry_at; its messages stay queued or go to the next gateway. No row = well.
create table notify.gateway_state (
    gateway text primary key,
    reason text check (reason in ('balance', 'credentials', 'configuration', 'unreachable')),
    detail text,
    failure_count integer not null default 0,
    open_since timestamptz,                -- null = it takes messages
    retry_at timestamptz,
    check ((open_since is null) = (reason is null) and (open_since is null) = (retry_at is null))
);

-- ---------------------------------------------------------------------------------------------------------------------
-- Receipts: what a gateway reports about a message it accepted
-- ---------------------------------------------------------------------------------------------------------------------

create table notify.receipt (
    receipt_id bigint generated always as identity primary key,
    gateway text not null,
    provider_id text not null,
    request_id uuid,                       -- the outbox id, where the gateway hands it back
    status text not null check (status in ('pending', 'delivered', 'failed')),
    provider_status text not null,
    detail text,
    outbox_id uuid references notify.outbox,   -- null = a message that we do not know (yet)
    first_at timestamptz not null,
    last_at timestamptz not null,
    times integer not null default 1,
    applied_at timestamptz,
    unique (gateway, provider_id, provider_status)
);
create index on notify.receipt (first_at) where applied_at is null;
create index on notify.receipt (outbox_id) where outbox_id is not null;

-- What came to the door and was not a receipt, counted: wrong key, unreadable, from elsewhere.
create table notify.receipt_refused (
    gateway text not null,
    reason text not null,
    times bigint not null default 1,
    last_at timestamptz not null,
    primary key (gateway, reason)
);

-- Moves messages to what their receipts say. "Delivered" is final and wins over "failed", in whichever order they come;
-- a message that is just being sent waits until its sender has written its result.
create function notify.apply_receipts(at timestamptz) returns integer language plpgsql as $$
declare
    moved integer;
begin
    update notify.receipt r set outbox_id = o.outbox_id
    from notify.outbox o
    where r.outbox_id is null and r.applied_at is null and r.first_at > at - interval '7 days'
        and o.outbox_id = r.request_id;
    update notify.receipt r set outbox_id = o.outbox_id
    from notify.outbox o
    where r.outbox_id is null and r.applied_at is null and r.first_at > at - interval '7 days'
        and o.gateway = r.gateway and o.provider_id = r.provider_id;

    with waiting as (
        select distinct on (r.outbox_id) r.outbox_id, r.status, r.provider_id, r.gateway, r.detail, r.last_at
        from notify.receipt r join notify.outbox o using (outbox_id)
        where r.applied_at is null and r.first_at > at - interval '7 days' and o.status <> 'sending'
        order by r.outbox_id, array_position(array['delivered', 'failed', 'pending'], r.status)
    ),
    done as (
        update notify.outbox o set
            status = case w.status when 'pending' then 'accepted' else w.status end,
            gateway = coalesce(o.gateway, w.gateway),
            provider_id = coalesce(o.provider_id, w.provider_id),
            accepted_at = coalesce(o.accepted_at, w.last_at),
            finished_at = case when w.status <> 'pending' then w.last_at end,
            next_poll_at = case when w.status = 'pending' then coalesce(o.next_poll_at, at) end,
            last_error = case when w.status = 'failed' then coalesce(w.detail, 'the gateway could not deliver it') end
        from waiting w
        where o.outbox_id = w.outbox_id and (
            (o.status = 'accepted' and w.status <> 'pending')
            or (o.status in ('unknown', 'queued') and o.attempt_count > 0)
            or (o.status = 'failed' and w.status = 'delivered'))
        returning o.outbox_id
    ),
    noted as (
        update notify.receipt r set applied_at = at from waiting w
        where r.outbox_id = w.outbox_id and r.applied_at is null
    )
    select count(*) into moved from done;
    return moved;
end $$;

-- Writes a receipt down once, whoever brings it and however often, and applies it. Returns recorded, repeated or
-- unknown (no such message here; kept and counted, harmless).
create function notify.take_receipt(
    gateway text, provider_id text, request_id text, status text, provider_status text, detail text, at timestamptz
) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    taken notify.receipt;
begin
    insert into notify.receipt as kept (gateway, provider_id, request_id, status, provider_status, detail, first_at, last_at)
    values ($1, $2, case when $3 ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then $3::uuid end, $4, $5,
        nullif($6, ''), $7, $7)
    on conflict on constraint receipt_gateway_provider_id_provider_status_key
        do update set times = kept.times + 1, last_at = excluded.last_at
    returning * into taken;
    if taken.times > 1 then
        return 'repeated';
    end if;
    perform notify.apply_receipts($7);
    select * into taken from notify.receipt r where r.receipt_id = taken.receipt_id;
    return case when taken.outbox_id is null then 'unknown' else 'recorded' end;
end $$;
revoke execute on function notify.take_receipt, notify.apply_receipts from public;

-- ---------------------------------------------------------------------------------------------------------------------
-- Browser push and webhooks
-- ---------------------------------------------------------------------------------------------------------------------

create table notify.push_subscription (
    subscription_id bigint generated always as identity primary key,
    contact_id bigint not null references ref.contact,
    endpoint text not null unique check (length(endpoint) <= 2000),
    p256dh text not null check (length(p256dh) <= 200),
    auth text not null check (length(auth) <= 100),
    browser text not null default '' check (length(browser) <= 300),
    created_at timestamptz not null,
    last_ok_at timestamptz
);
create index on notify.push_subscription (contact_id);

-- Which browser has a message already: a retry for one of somebody's browsers must not double it on the others.
create table notify.push_delivery (
    outbox_id uuid not null references notify.outbox,
    subscription_id bigint not null references notify.push_subscription on delete cascade,
    accepted_at timestamptz not null,
    primary key (outbox_id, subscription_id)
);

-- A system that wants to be told is a contact with roles like any other, and has an endpoint here. The signing key is
-- derived from the stack's secret and key_version; no secret lies in the table.
create table notify.webhook_endpoint (
    endpoint_id bigint generated always as identity primary key,
    contact_id bigint not null unique references ref.contact,
    url text not null check (url ~ '^https?://'),
    key_version integer not null default 1,
    is_enabled boolean not null default true,
    created_by text not null,
    created_at timestamptz not null default clock_timestamp()
);

-- Addresses that are not columns of ref.contact, for every channel that has its own table of them.
create view notify.address as
    select contact_id, 'push' as channel, min(contact_id)::text as address
    from notify.push_subscription group by contact_id
    union all
    select contact_id, 'webhook', endpoint_id::text from notify.webhook_endpoint where is_enabled;

-- ---------------------------------------------------------------------------------------------------------------------
-- What a person has to look at
-- ---------------------------------------------------------------------------------------------------------------------

create view notify.needs_operator as
    select 'unknown' as kind, outbox_id, channel, gateway, level, subject, last_error as detail, finished_at as since
    from notify.outbox where status = 'unknown'
    union all
    select 'failed', outbox_id, channel, gateway, level, subject, last_error, finished_at
    from notify.outbox where status = 'failed'
    union all
    select 'no_receipt', outbox_id, channel, gateway, level, subject, null, accepted_at
    from notify.outbox where status = 'accepted' and next_poll_at is not null
    union all
    select 'gateway', null, null, gateway, null, reason, detail, open_since
    from notify.gateway_state where open_since is not null;

grant select, insert, update, delete on notify.gateway_state, notify.receipt, notify.receipt_refused,
    notify.push_subscription, notify.push_delivery, notify.webhook_endpoint to ioc_alerts;
grant select on notify.address, notify.needs_operator to ioc_alerts, ioc_portal;
grant execute on function notify.apply_receipts to ioc_alerts;
grant execute on function notify.take_receipt to ioc_alerts, ioc_portal;

grant select on notify.gateway_state, notify.receipt, notify.receipt_refused, notify.webhook_endpoint to ioc_portal;
grant insert, update on notify.receipt_refused to ioc_portal;
grant select, insert, delete, update on notify.push_subscription to ioc_portal;
