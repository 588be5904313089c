-- A stretch from a to b: its normal n, and the normals f and g of the planes across its ends; a place before a has a
-- negative product with f, one behind b with g.
with point as (
    select
        l.line_code, l.point_number, l.effective_from, l.effective_to, l.latitude,
        {{ in_space('l.latitude', 'l.longitude') }}
    from {{ ref('vessel_sea_line') }} as l
),

pair as (
    select
        line_code, point_number, effective_from, effective_to, x as ax, y as ay, z as az,
        lead(x) over line as bx, lead(y) over line as by, lead(z) over line as bz,
        max(latitude) over (partition by line_code, effective_from) as north_latitude,
        min(latitude) over (partition by line_code, effective_from) as south_latitude,
        lag(x) over line is null as is_first,
        lead(x, 2) over line is null as is_last
    from point
    window line as (partition by line_code, effective_from order by point_number)
),

plane as (
    select
        *,
        ay * bz - az * by as ux,
        az * bx - ax * bz as uy,
        ax * by - ay * bx as uz
    from pair
    where bx is not null
),

unit as (
    select
        *,
        ux / sqrt(ux ^ 2 + uy ^ 2 + uz ^ 2) as nx,
        uy / sqrt(ux ^ 2 + uy ^ 2 + uz ^ 2) as ny,
        uz / sqrt(ux ^ 2 + uy ^ 2 + uz ^ 2) as nz
    from plane
)

select
    line_code, point_number, effective_from, effective_to, north_latitude, south_latitude, is_first, is_last,
    ax, ay, az, bx, by, bz, nx, ny, nz,
    ny * az - nz * ay as fx,
    nz * ax - nx * az as fy,
    nx * ay - ny * ax as fz,
    by * nz - bz * ny as gx,
    bz * nx - bx * nz as gy,
    bx * ny - by * nx as gz
from unit
