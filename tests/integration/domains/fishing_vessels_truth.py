"""A second, plain count of the fleet from the played systems' own stores, and geodesics on WGS 84 in pure Python."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.fishing_vessels.fleet import PORTS
from sandbox.fishing_vessels.stories import SWAPPED, SWAPPED_AT

if TYPE_CHECKING:
    from sandbox.fishing_vessels.play import FishingVessels

Place = tuple[float, float]
_KNOT_KM_H = 1.852
_A, _F = 6378137.0, 1 / 298.257223563


@dataclass
class Truth:
    """What the dashboards must show.

    Attributes:
        faults: Messages that are not used, by reason.
        tracks: The usable positions of every vessel: ``(at, place)``, in order.
        at_sea: Vessels at sea; ``silent`` and ``silent_long`` among them, ``across`` and ``sos``.
    """

    faults: Counter[str] = field(default_factory=Counter)
    messages: int = 0
    tracks: dict[str, list[tuple[datetime, Place]]] = field(default_factory=dict)
    vessels: set[str] = field(default_factory=set)
    at_sea: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    silent_long: set[str] = field(default_factory=set)
    across: set[str] = field(default_factory=set)
    sos: set[str] = field(default_factory=set)


def registration(text: str) -> str:
    """TH-93388-TS, or the text itself when it is no number."""
    found = re.fullmatch(r"\s*([A-Za-z]{1,4})[\s-]*(\d{4,5})[\s-]*[Tt][Ss]\s*", text)
    return f"{found[1]}-{found[2]}-TS".upper() if found else text.strip()


def count(source: FishingVessels, anchor: datetime, until: datetime | None = None) -> Truth:
    """The fleet as the stores tell it, with messages received up to ``until``."""
    records = source.positions.store.records()
    told: dict[str, list[tuple[datetime, datetime, dict[str, Any]]]] = defaultdict(list)
    newest = max(at for _, at in source.positions.store.changed() if until is None or at <= until)
    devices = {f"TB{36000 + number}": f"TH-{90000 + number}-TS" for number in SWAPPED}
    other = dict(zip(devices, reversed(devices.values()), strict=True))
    for key, received in source.positions.store.changed(until=until):
        record = records[key]
        vessel, at = registration(record["soDangKy"]), datetime.fromisoformat(record["thoiDiem"])
        if record["maThietBi"] in devices:
            moved = at >= anchor + timedelta(hours=SWAPPED_AT)
            vessel = (other if moved else devices)[record["maThietBi"]]
        is_future = at > received + timedelta(minutes=15)
        told[vessel].append((received if is_future else at, received, {**record, "future": is_future}))
    calls: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
    for event in source.port_events.store.records().values():
        at = datetime.fromisoformat(event["thoiDiem"])
        if at <= newest:
            calls[registration(event["soDangKy"])].append((at, event["loai"]))
    truth = Truth(messages=sum(map(len, told.values())), vessels=set(told))
    hour = newest.replace(minute=0, second=0, microsecond=0)
    for vessel, messages in told.items():
        _judge(truth, vessel, sorted(messages, key=lambda m: m[:2]), sorted(calls[vessel]), hour)
    return truth


def _judge(
    truth: Truth,
    vessel: str,
    messages: list[tuple[datetime, datetime, dict[str, Any]]],
    calls: list[tuple[datetime, str]],
    hour: datetime,
) -> None:
    good: list[tuple[datetime, Place]] = []
    seen: set[str] = set()
    is_sos = False
    for at, _, record in messages:
        fault = _fault(record, at, good, seen)
        if fault:
            truth.faults[fault] += 1
        else:
            good.append((at, (record["viDo"], record["kinhDo"])))
        if fault != "trung_lap":
            is_sos = record["canhBao"] == "SOS"
        if not record["future"]:
            seen.add(record["thoiDiem"])
    truth.tracks[vessel] = good
    if is_sos:
        truth.sos.add(vessel)
    if not good:
        return
    at, place = good[-1]
    in_port = any(
        kilometres(place, (port.latitude, port.longitude)) <= (3.0 if port.code == "NGHI_SON" else 2.5)
        for port in PORTS.values()
    )
    spoken = max(m[0] for m in messages)
    if calls and calls[-1][0] > at:
        in_port = calls[-1][1] == "vao"
        spoken = max(spoken, calls[-1][0])
    if in_port:
        return
    truth.at_sea.add(vessel)
    silence = (hour - spoken).total_seconds() / 3600
    truth.silent |= {vessel} if silence >= 6 else set()
    truth.silent_long |= {vessel} if silence >= 240 else set()
    # Between points 16 and 17 the line is a meridian, and the stories cross it there.
    if len(good) > 1 and all(18.72 < p[0] < 19.2 and p[1] > 107.1594444 for _, p in good[-2:]):
        truth.across.add(vessel)


def _fault(record: dict[str, Any], at: datetime, good: list[tuple[datetime, Place]], seen: set[str]) -> str | None:
    place = (record["viDo"], record["kinhDo"])
    if record["future"]:
        return "tuong_lai"
    if place == (0, 0):
        return "toa_do_khong"
    if abs(place[0]) > 90:
        return "toa_do_sai"
    if record["thoiDiem"] in seen:
        return "trung_lap"
    if good and kilometres(good[-1][1], place) - 1 > 30 * _KNOT_KM_H * (at - good[-1][0]).total_seconds() / 3600:
        return "nhay_vi_tri"
    return None


def kilometres(a: Place, b: Place) -> float:
    """On a sphere: good for ports and speeds."""
    lat1, lon1, lat2, lon2 = map(math.radians, (*a, *b))
    h = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * 6371.0 * math.asin(math.sqrt(h))


def inverse(a: Place, b: Place) -> tuple[float, float]:
    """Metres and azimuth (radians) of the geodesic from ``a`` to ``b``: T. Vincenty, Survey Review 23 (1975), 88-93."""
    if a == b:
        return 0.0, 0.0
    minor = _A * (1 - _F)
    u1, u2 = (math.atan((1 - _F) * math.tan(math.radians(p[0]))) for p in (a, b))
    length = math.radians(b[1] - a[1])
    lam = length
    for _ in range(100):
        cross = math.cos(u1) * math.sin(u2) - math.sin(u1) * math.cos(u2) * math.cos(lam)
        sin_sigma = math.hypot(math.cos(u2) * math.sin(lam), cross)
        cos_sigma = math.sin(u1) * math.sin(u2) + math.cos(u1) * math.cos(u2) * math.cos(lam)
        sigma = math.atan2(sin_sigma, cos_sigma)
        sin_alpha = math.cos(u1) * math.cos(u2) * math.sin(lam) / sin_sigma
        cos2_alpha = 1 - sin_alpha**2
        cos_2m = cos_sigma - 2 * math.sin(u1) * math.sin(u2) / cos2_alpha
        c = _F / 16 * cos2_alpha * (4 + _F * (4 - 3 * cos2_alpha))
        before = lam
        lam = length + (1 - c) * _F * sin_alpha * (
            sigma + c * sin_sigma * (cos_2m + c * cos_sigma * (2 * cos_2m**2 - 1))
        )
        if abs(lam - before) < 1e-12:
            break
    big_a, big_b = _series(cos2_alpha * (_A**2 - minor**2) / minor**2)
    azimuth = math.atan2(
        math.cos(u2) * math.sin(lam), math.cos(u1) * math.sin(u2) - math.sin(u1) * math.cos(u2) * math.cos(lam)
    )
    return minor * big_a * (sigma - _step(big_b, sigma, cos_2m)), azimuth


def direct(a: Place, azimuth: float, metres: float) -> Place:
    """The place ``metres`` along the geodesic that leaves ``a`` at ``azimuth`` (radians); Vincenty, as above."""
    minor = _A * (1 - _F)
    tan_u1 = (1 - _F) * math.tan(math.radians(a[0]))
    u1 = math.atan(tan_u1)
    sigma1 = math.atan2(tan_u1, math.cos(azimuth))
    sin_alpha = math.cos(u1) * math.sin(azimuth)
    big_a, big_b = _series((1 - sin_alpha**2) * (_A**2 - minor**2) / minor**2)
    sigma = metres / (minor * big_a)
    for _ in range(100):
        cos_2m = math.cos(2 * sigma1 + sigma)
        before = sigma
        sigma = metres / (minor * big_a) + _step(big_b, sigma, cos_2m)
        if abs(sigma - before) < 1e-13:
            break
    flat = math.sin(u1) * math.sin(sigma) - math.cos(u1) * math.cos(sigma) * math.cos(azimuth)
    latitude = math.atan2(
        math.sin(u1) * math.cos(sigma) + math.cos(u1) * math.sin(sigma) * math.cos(azimuth),
        (1 - _F) * math.hypot(sin_alpha, flat),
    )
    lam = math.atan2(
        math.sin(sigma) * math.sin(azimuth),
        math.cos(u1) * math.cos(sigma) - math.sin(u1) * math.sin(sigma) * math.cos(azimuth),
    )
    cos2_alpha = 1 - sin_alpha**2
    c = _F / 16 * cos2_alpha * (4 + _F * (4 - 3 * cos2_alpha))
    cos_2m = math.cos(2 * sigma1 + sigma)
    along = sigma + c * math.sin(sigma) * (cos_2m + c * math.cos(sigma) * (2 * cos_2m**2 - 1))
    return math.degrees(latitude), a[1] + math.degrees(lam - (1 - c) * _F * sin_alpha * along)


def _series(u2: float) -> tuple[float, float]:
    return (
        1 + u2 / 16384 * (4096 + u2 * (-768 + u2 * (320 - 175 * u2))),
        u2 / 1024 * (256 + u2 * (-128 + u2 * (74 - 47 * u2))),
    )


def _step(b: float, sigma: float, m: float) -> float:
    s, c = math.sin(sigma), math.cos(sigma)
    return b * s * (m + b / 4 * (c * (2 * m**2 - 1) - b / 6 * m * (4 * s**2 - 3) * (4 * m**2 - 3)))


def to_stretch(p: Place, a: Place, b: Place) -> float:
    """Metres from ``p`` to the geodesic between ``a`` and ``b``: the least of the distances to its points."""
    length, azimuth = inverse(a, b)
    low, high = 0.0, length
    golden = (math.sqrt(5) - 1) / 2
    while high - low > 0.5:
        left, right = high - golden * (high - low), low + golden * (high - low)
        if inverse(p, direct(a, azimuth, left))[0] < inverse(p, direct(a, azimuth, right))[0]:
            high = right
        else:
            low = left
    return inverse(p, direct(a, azimuth, (low + high) / 2))[0]
