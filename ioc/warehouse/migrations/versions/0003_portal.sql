-- Accounts, sessions and login attempts of the portal. Only ioc_portal reads them.

create table portal.account (
    account_id bigint generated always as identity primary key,
    username text not null unique check (username ~ '^[a-z][a-z0-9_.-]{1,31}$'),
    display_name text not null,
    role text not null check (role in ('leader', 'officer', 'engineer', 'admin')),
    unit_code text,
    password_hash text not null,  -- argon2id
    is_active boolean not null default true,
    password_changed_at timestamptz not null default clock_timestamp(),
    created_at timestamptz not null default clock_timestamp(),
    -- An officer sees the queue of one unit; without a unit there would be nothing to hold the wall.
    constraint officer_has_unit check (role <> 'officer' or unit_code is not null)
);

-- The browser holds the token, the table its SHA-256: a copy of the table opens no session.
create table portal.session (
    token_hash bytea primary key check (octet_length(token_hash) = 32),
    account_id bigint not null references portal.account on delete cascade,
    created_at timestamptz not null default clock_timestamp(),
    last_seen_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null
);
create index on portal.session (account_id);
create index on portal.session (expires_at);

create table portal.login_attempt (
    login_attempt_id bigint generated always as identity primary key,
    username text not null,
    address text not null,
    succeeded boolean not null,
    attempted_at timestamptz not null default clock_timestamp()
);
create index on portal.login_attempt (username, address, attempted_at);
create index on portal.login_attempt (address, attempted_at);

grant select, insert, update on portal.account to ioc_portal;
grant select, insert, update, delete on portal.session to ioc_portal;
grant select, insert, delete on portal.login_attempt to ioc_portal;
