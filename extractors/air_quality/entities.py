"""Raw tables of air quality."""

from extractors.core.entities import Column, Entity

READING = Entity(
    name="reading",
    comment="One value that a station sent: one line of a file in the national format, or one record of a series.",
    columns=(
        Column("station_code", "text", "As in the file name or the mapping."),
        Column("parameter", "text", "Canonical symbol (PM2.5, O3, Temp, …), or the raw text when nobody knows it."),
        Column("parameter_raw", "text", "As sent."),
        Column("value", "numeric", "Null when blank, NaN, ---, -9999, -999, Missing."),
        Column("value_raw", "text", "As sent."),
        Column("unit_raw", "text", "As sent."),
        Column("measured_at", "timestamp with time zone", "End of the averaging period."),
        Column("device_status", "text", "00 measuring, 01 calibrating, 02 device error; other text as sent."),
    ),
    hash_columns=("station_code", "parameter", "measured_at", "value", "unit_raw", "device_status"),
    key=("station_code", "parameter", "measured_at"),
    partition_by="measured_at",
)
ENTITIES = (READING,)
