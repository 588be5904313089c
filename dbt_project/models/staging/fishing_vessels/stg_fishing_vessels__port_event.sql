select
    e.event_id,
    coalesce({{ registration_number('e.registration_sent') }}, btrim(e.registration_sent), e.event_id) as vessel_code,
    e.port_code,
    e.direction,
    e.happened_at,
    e.changed_at as reported_at,
    e.publish_seq
from ({{ newest_record(source('raw_fishing_vessels', 'port_event'), ['event_id']) }}) as e
-- A report of tomorrow is a slip of the clerk, and one without direction says nothing.
where e.direction in ('vao', 'ra') and e.happened_at <= e.changed_at + interval '1 hour'
