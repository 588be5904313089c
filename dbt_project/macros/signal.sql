{#
Hands the rows of a model (signal_code, entity_type, entity_id, unit_code, period_end, value, quality) to the alert engine. A
changed value or quality raises the revision and takes a new change_id: a correction is an event, a re-run is none. Commit
order of change_id is held by one lock for all domains, so that the engine's cursor never passes over a row.
#}
{% macro upsert_signals() %}
    select pg_advisory_xact_lock(hashtext('alerting.signal'));
    insert into alerting.signal as kept (signal_code, entity_type, entity_id, unit_code, period_end, value, quality)
    select signal_code, entity_type, entity_id, unit_code, period_end, value, quality from {{ this }}
    order by period_end, signal_code, entity_id
    on conflict (signal_code, entity_type, entity_id, period_end) do update set
        unit_code = excluded.unit_code,
        value = excluded.value,
        quality = excluded.quality,
        revision = kept.revision + 1,
        change_id = nextval('alerting.signal_change'),
        changed_at = clock_timestamp()
    where (kept.value, kept.quality) is distinct from (excluded.value, excluded.quality)
{% endmacro %}

{#
What messages and pages call the entities of a signal, where they stand (WGS 84), and whether the public may know of them; the
alert engine knows no domain and reads it here. Entities without a place or a word about the public are not public.
#}
{% macro upsert_entities(
    entity_type, relation, id, name, unit, longitude='null::double precision', latitude='null::double precision',
    is_public='false'
) %}
    insert into alerting.entity as kept (entity_type, entity_id, name_vi, unit_code, longitude, latitude, is_public)
    select '{{ entity_type }}', {{ id }}, {{ name }}, {{ unit }}, {{ longitude }}, {{ latitude }}, {{ is_public }}
    from {{ relation }}
    on conflict (entity_type, entity_id) do update set
        name_vi = excluded.name_vi,
        unit_code = excluded.unit_code,
        longitude = excluded.longitude,
        latitude = excluded.latitude,
        is_public = excluded.is_public
    where (kept.name_vi, kept.unit_code, kept.longitude, kept.latitude, kept.is_public)
        is distinct from (excluded.name_vi, excluded.unit_code, excluded.longitude, excluded.latitude, excluded.is_public)
{% endmacro %}
