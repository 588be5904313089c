{{ config(
    unique_key=['station_code'],
    indexes=keyed(['station_code']),
    meta={'reads': ['int_industrial_discharge__reading']},
    post_hook=["{{ record_newest_data('max(last_reading_at)') }}"]
) }}
-- Every station that ever sent something, registered or not, with the span of its readings.
with fresh as (
    select station_code, min(measured_at) as first_reading_at, max(measured_at) as last_reading_at
    from {{ ref('int_industrial_discharge__reading') }}
    where run_seq > {{ since('int_industrial_discharge__reading') }} and not is_future
    group by station_code
)

select
    f.station_code,
    {% if is_increment() %}
        least(f.first_reading_at, k.first_reading_at) as first_reading_at,
        greatest(f.last_reading_at, k.last_reading_at) as last_reading_at,
    {% else %}
        f.first_reading_at,
        f.last_reading_at,
    {% endif %}
    {{ run_seq() }} as run_seq
from fresh as f
{% if is_increment() %}
    left join {{ this }} as k on f.station_code = k.station_code
{% endif %}
