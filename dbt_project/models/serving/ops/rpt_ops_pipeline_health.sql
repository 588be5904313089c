-- How every domain's pipe is doing. Each domain reports its newest data through the macro record_newest_data.
with batch as (
    select
        domain,
        max(published_at) as last_published_at,
        count(*) filter (where is_recent) as batches_24h,
        sum(read_count) filter (where is_recent) as read_24h,
        sum(loaded_count) filter (where is_recent) as loaded_24h,
        sum(duplicate_count) filter (where is_recent) as duplicate_24h,
        sum(rejected_count) filter (where is_recent) as rejected_24h,
        count(*) filter (where is_recent and status = 'quarantined') as quarantined_24h
    from (select *, started_at > now() - interval '24 hours' as is_recent from {{ source('ops', 'load_batch') }}) as b
    group by domain
),

file as (
    select domain, count(*) as files_24h from {{ source('ops', 'landed_file') }}
    where attempted_at > now() - interval '24 hours'
    group by domain
),

failure as (
    select domain, count(*) as failed_dbt_24h from {{ source('ops', 'dbt_run_result') }}
    where completed_at > now() - interval '24 hours' and status in ('error', 'fail', 'runtime error')
    group by domain
),

newest as (
    select domain, (value ->> 'at')::timestamptz as newest_data_at from {{ source('ops', 'cursor') }}
    where name = 'dbt-newest-data'
)

select
    d.domain,
    d.title_vi,
    b.last_published_at,
    n.newest_data_at,
    round(extract(epoch from now() - n.newest_data_at) / 60)::bigint as data_age_minutes,
    d.stale_after_minutes,
    (
        d.status = 'live'
        and coalesce(n.newest_data_at < now() - d.stale_after_minutes * interval '1 minute', true)
    ) as is_stale,
    coalesce(b.batches_24h, 0)::bigint as batches_24h,
    coalesce(f.files_24h, 0)::bigint as files_24h,
    coalesce(b.read_24h, 0)::bigint as read_24h,
    coalesce(b.loaded_24h, 0)::bigint as loaded_24h,
    coalesce(b.duplicate_24h, 0)::bigint as duplicate_24h,
    coalesce(b.rejected_24h, 0)::bigint as rejected_24h,
    coalesce(b.quarantined_24h, 0)::bigint as quarantined_24h,
    coalesce(e.failed_dbt_24h, 0)::bigint as failed_dbt_24h,
    d.status
from {{ source('ref', 'domain') }} as d
left join batch as b on d.domain = b.domain
left join file as f on d.domain = f.domain
left join failure as e on d.domain = e.domain
left join newest as n on d.domain = n.domain
