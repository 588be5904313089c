{{ config(
    unique_key=['station_code'],
    indexes=keyed(['station_code']),
    meta={'reads': ['int_industrial_discharge__reading']},
    post_hook=["{{ record_newest_data('max(last_reading_at)') }}"]
) }}
{{ stations_seen('int_industrial_discharge__reading') }}
