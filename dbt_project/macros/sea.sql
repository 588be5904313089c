{#
Distances at sea without PostGIS. A place is a point in space on the ellipsoid WGS 84 (metres from the earth's centre); a stretch of a
line is the plane through both of its ends and the centre. The distance between two places is the arc over their chord, that
to a stretch the arc over the offset from its plane: within 0.05 % of the geodesic up to 500 km, where a sphere is off by up to 0.56 %.
#}

{# Columns `<prefix>x`, `<prefix>y`, `<prefix>z` of a place in degrees. a and e² of WGS 84: NIMA TR8350.2, table 3.1. #}
{% macro in_space(latitude, longitude, prefix='') -%}
    {%- set n -%}(6378137.0 / sqrt(1 - 0.00669437999014 * sind({{ latitude }}) ^ 2)){%- endset -%}
    {{ n }} * cosd({{ latitude }}) * cosd({{ longitude }}) as {{ prefix }}x,
    {{ n }} * cosd({{ latitude }}) * sind({{ longitude }}) as {{ prefix }}y,
    {{ n }} * (1 - 0.00669437999014) * sind({{ latitude }}) as {{ prefix }}z
{%- endmacro %}

{# Nautical miles along the ground for a chord in metres; 6,371 km serves the small step from chord to arc only. #}
{% macro arc_nm(chord) -%}
    (2 * 6371000.0 * asin(least(({{ chord }}) / (2 * 6371000.0), 1)) / 1852.0)
{%- endmacro %}

{# Chord in metres between two places in space, named by their prefixes. #}
{% macro chord_m(a, b) -%}
    sqrt(({{ a }}x - {{ b }}x) ^ 2 + ({{ a }}y - {{ b }}y) ^ 2 + ({{ a }}z - {{ b }}z) ^ 2)
{%- endmacro %}

{#
The nearest stretch of a line to a place `p` (columns x, y, z), as `distance_nm` and `offset_m` (positive east of a line that runs from
north to south) and `is_beyond_end`. Where a bend is nearest, both of its stretches are equally far, and the one that the place
lies across most squarely says which side it is on. `segments` has the columns of stg_fishing_vessels__line_segment.
#}
{% macro nearest_stretch(segments, line, on) -%}
    select
        n.distance_nm, n.offset_m, (n.is_before and n.is_first) or (n.is_behind and n.is_last) as is_beyond_end
    from (
        select
            s.is_first, s.is_last, g.is_before, g.is_behind, g.offset_m,
            case
                when g.is_before then {{ arc_nm('sqrt((p.x - s.ax) ^ 2 + (p.y - s.ay) ^ 2 + (p.z - s.az) ^ 2)') }}
                when g.is_behind then {{ arc_nm('sqrt((p.x - s.bx) ^ 2 + (p.y - s.by) ^ 2 + (p.z - s.bz) ^ 2)') }}
                else 6371000.0 * asin(abs(g.offset_m) / 6371000.0) / 1852.0
            end as distance_nm
        from {{ segments }} as s
        cross join lateral (
            select
                p.x * s.nx + p.y * s.ny + p.z * s.nz as offset_m,
                p.x * s.fx + p.y * s.fy + p.z * s.fz < 0 as is_before,
                p.x * s.gx + p.y * s.gy + p.z * s.gz < 0 as is_behind
        ) as g
        where s.line_code = '{{ line }}' and {{ on }} >= s.effective_from and {{ on }} < s.effective_to
    ) as n
    -- Equal to the millimetre: rounding keeps two ways of computing the same bend from deciding.
    order by round(n.distance_nm * 1852000), abs(n.offset_m) desc
    limit 1
{%- endmacro %}

{# Degrees and decimal minutes, as charts and radio speak: 19°08,3'B. #}
{% macro degrees_minutes(degrees, hemisphere) -%}
    (
        -- Rounded before it is split, so that there is never a minute 60.
        floor(round(({{ degrees }} * 600)::numeric) / 600)::integer::text || '°'
        || lpad(replace((mod(round(({{ degrees }} * 600)::numeric), 600) / 10)::numeric(4, 1)::text, '.', ','), 4, '0')
        || '''{{ hemisphere }}'
    )
{%- endmacro %}
