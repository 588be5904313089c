-- Schemas, least-privilege roles, and the ledger of the pipeline (ops).
-- Roles are made by ioc.warehouse.roles before the migrations run: ioc_owner, ioc_loader, ioc_transformer, ioc_alerts,
-- ioc_bi_reader, ioc_portal. The layering of the house is held by the grants below, not by review.

create schema ops;           -- ledger of the pipeline
create schema ref;           -- reference data: seeds and edited tables
create schema staging;
create schema intermediate;
create schema marts;
create schema serving;       -- the only schema that Superset and the portal read
create schema alerting;      -- signals: the only input of the alert engine
create schema alert;
create schema notify;
create schema sop;
create schema audit;
create schema portal;

-- One row per load of one domain. A batch is visible to dbt only once it is published.
create table ops.load_batch (
    batch_id bigint generated always as identity primary key,
    domain text not null,
    mode text not null default 'live' check (mode in ('live', 'backfill', 'replay')),
    status text not null default 'loading' check (status in ('loading', 'loaded', 'published', 'quarantined', 'failed')),
    airflow_run_id text,
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    published_at timestamptz,
    -- Order of publication, gapless in commit order per domain (publishing holds an advisory lock): the cursor of every
    -- incremental model. batch_id cannot serve, because a quarantined batch may be released after later ones.
    publish_seq bigint unique,
    file_count bigint not null default 0,
    read_count bigint not null default 0,
    loaded_count bigint not null default 0,
    duplicate_count bigint not null default 0,
    rejected_count bigint not null default 0,
    verdict text check (verdict in ('passed', 'stopped')),
    validated_at timestamptz,
    message text,
    constraint nothing_lost check (read_count = loaded_count + duplicate_count + rejected_count),
    constraint published_has_seq check ((status = 'published') = (publish_seq is not null))
);
create index on ops.load_batch (domain, publish_seq);
create index on ops.load_batch (domain, status);
create sequence ops.publish_seq;

-- What the newest known version of each source file looked like: decides from a listing alone whether to fetch.
create table ops.source_file (
    domain text not null,
    source_uri text not null,
    remote_size bigint,
    remote_mtime timestamptz,
    sha256 text not null,
    batch_id bigint references ops.load_batch,
    seen_at timestamptz not null default clock_timestamp(),
    primary key (domain, source_uri)
);

-- One outcome row for every attempt at a file, whatever came of it.
create table ops.landed_file (
    landed_file_id bigint generated always as identity primary key,
    domain text not null,
    batch_id bigint references ops.load_batch,
    source_uri text not null,
    remote_size bigint,
    remote_mtime timestamptz,
    sha256 text,
    landed_path text,
    byte_count bigint,
    outcome text not null check (outcome in ('loaded', 'unchanged_content', 'empty', 'partial', 'unreadable', 'failed')),
    read_count bigint not null default 0,
    loaded_count bigint not null default 0,
    duplicate_count bigint not null default 0,
    rejected_count bigint not null default 0,
    message text,
    attempted_at timestamptz not null default clock_timestamp(),
    constraint nothing_lost check (read_count = loaded_count + duplicate_count + rejected_count)
);
create index on ops.landed_file (domain, source_uri);
create index on ops.landed_file (batch_id);
create index on ops.landed_file (attempted_at);

create table ops.rejected_row (
    rejected_row_id bigint generated always as identity primary key,
    batch_id bigint not null references ops.load_batch,
    domain text not null,
    entity text not null,
    source_uri text not null,
    source_row bigint,
    raw_text text not null,
    reason_code text not null,
    reason text not null,
    rejected_at timestamptz not null default clock_timestamp()
);
create index on ops.rejected_row (batch_id);
create index on ops.rejected_row (domain, rejected_at);

create table ops.cursor (
    domain text not null,
    name text not null,
    value jsonb not null,
    batch_id bigint references ops.load_batch,
    updated_at timestamptz not null default clock_timestamp(),
    primary key (domain, name)
);

create table ops.validation_result (
    validation_result_id bigint generated always as identity primary key,
    batch_id bigint not null references ops.load_batch,
    domain text not null,
    suite text not null,
    expectation text not null,
    column_name text,
    severity text not null check (severity in ('stop', 'warn')),
    success boolean not null,
    element_count bigint,
    unexpected_count bigint,
    observed jsonb,
    description_vi text,
    validated_at timestamptz not null default clock_timestamp()
);
create index on ops.validation_result (batch_id);
create index on ops.validation_result (domain, validated_at);

create table ops.dbt_run_result (
    invocation_id text not null,
    unique_id text not null,
    resource_type text not null,
    domain text,
    status text not null,
    execution_time_s double precision not null,
    rows_affected bigint,
    failure_count bigint,
    message text,
    airflow_run_id text,
    completed_at timestamptz not null default clock_timestamp(),
    primary key (invocation_id, unique_id)
);
create index on ops.dbt_run_result (completed_at);

-- Signals: upserted by dbt's post-hooks, read by the alert engine. A changed value raises the revision, so that a
-- correction is an event and a re-run is not. change_id is the engine's cursor.
create sequence alerting.signal_change;
create table alerting.signal (
    signal_code text not null,
    entity_type text not null,
    entity_id text not null,
    unit_code text,
    period_end timestamptz not null,
    revision integer not null default 1,
    value numeric,
    quality text not null check (quality in ('ok', 'calibrating', 'device_error', 'insufficient')),
    change_id bigint not null default nextval('alerting.signal_change'),
    changed_at timestamptz not null default clock_timestamp(),
    primary key (signal_code, entity_type, entity_id, period_end)
);
alter sequence alerting.signal_change owned by alerting.signal.change_id;
create index on alerting.signal (change_id);

-- Grants.
grant usage on schema ops to ioc_loader, ioc_transformer, ioc_alerts, ioc_portal;
grant select, insert, update, delete on all tables in schema ops to ioc_loader;
grant usage on all sequences in schema ops to ioc_loader;
grant select on all tables in schema ops to ioc_transformer;
grant insert, update on ops.dbt_run_result, ops.cursor to ioc_transformer;
grant select on ops.load_batch, ops.validation_result, ops.dbt_run_result to ioc_portal;

grant usage, create on schema ref, staging, intermediate, marts, serving, alerting to ioc_transformer;
grant select, insert, update, delete on alerting.signal to ioc_transformer;
grant usage on sequence alerting.signal_change to ioc_transformer;

grant usage on schema alerting, ref to ioc_alerts;
grant select on alerting.signal to ioc_alerts;
grant usage on schema ref to ioc_loader, ioc_portal;
grant usage on schema serving to ioc_bi_reader, ioc_portal;
grant usage on schema portal to ioc_portal;

alter default privileges for role ioc_transformer in schema serving grant select on tables to ioc_bi_reader, ioc_portal;
alter default privileges for role ioc_transformer in schema ref grant select on tables to ioc_loader, ioc_alerts;
