{{ config(
    meta={'reads': ['fct_vessel_fix', 'fct_vessel_hour']},
    post_hook=[
        "{{ upsert_signals() }}",
        "{{ upsert_entities('vessel', ref('dim_vessel'), 'vessel_code', 'vessel_code', 'unit_code') }}"
    ]
) }}
-- A vessel speaks to the alert engine while something is the matter, and once when it is over: calm rows are not written,
-- unless they correct one that was.
with message as (
    select s.signal_code, f.vessel_code, f.ordered_at as period_end, s.value, f.is_change
    from {{ ref('fct_vessel_fix') }} as f
    cross join lateral (
        values
        ('fishing_vessels.line_state', f.line_level),
        ('fishing_vessels.wrong_zone', (f.wrong_zone_since is not null)::integer),
        ('fishing_vessels.sos', (f.sos_since is not null)::integer)
    ) as s (signal_code, value)
    where
        f.run_seq > {{ since('fct_vessel_fix') }}
        -- A row that only carries on what the one before said is no word of its own, except for a call for help.
        and (f.is_used or (s.signal_code = 'fishing_vessels.sos' and f.fault is distinct from 'trung_lap'))
),

hour as (
    select
        'fishing_vessels.silence_h' as signal_code, h.vessel_code, h.hour_at as period_end, h.silent_h as value,
        h.is_silent,
        exists(
            select from {{ ref('fct_vessel_hour') }} as b
            where b.vessel_code = h.vessel_code and b.hour_at = h.hour_at - interval '1 hour' and b.is_silent
        ) as was_silent
    from {{ ref('fct_vessel_hour') }} as h
    where h.run_seq > {{ since('fct_vessel_hour') }}
),

word as (
    select signal_code, vessel_code, period_end, value::numeric as value, value > 0 or is_change as is_news from message
    union all
    select signal_code, vessel_code, period_end, value, is_silent or was_silent from hour
)

select distinct on (w.signal_code, w.vessel_code, w.period_end)
    w.signal_code,
    'vessel' as entity_type,
    w.vessel_code as entity_id,
    d.unit_code,
    w.period_end,
    w.value,
    'ok' as quality
from word as w
inner join {{ ref('dim_vessel') }} as d on w.vessel_code = d.vessel_code
where
    w.is_news
    or exists (
        select from {{ source('fishing_vessels_signals', 'signal') }} as k
        where
            k.signal_code = w.signal_code and k.entity_type = 'vessel' and k.entity_id = w.vessel_code
            and k.period_end = w.period_end
    )
order by w.signal_code, w.vessel_code, w.period_end, w.value desc
