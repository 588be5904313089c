"""Colours that can be read, paths that stay here, policies that hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from portal import colours
from portal.domains.air_quality.stations import SCALE
from portal.security import content_policy, origin
from portal.web import local_path

STATIC = Path(__file__).resolve().parents[3] / "portal" / "static"
CSS = (STATIC / "portal.css").read_text(encoding="utf-8")
INK = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", CSS))


@pytest.mark.parametrize("colour", [step["colour"] for step in SCALE] + [None])
def test_figures_on_the_regulations_colours_can_be_read(colour: str | None) -> None:
    """Large bold figures: 3 : 1 (WCAG 2.2, AA)."""
    assert colours.contrast(colours.checked(colour), colours.ink_on(colour)) >= 3


@pytest.mark.parametrize("ground", ["paper", "card"])
@pytest.mark.parametrize("ink", ["ink", "ink-soft", "bronze", "link", "lacquer", "bad", "good"])
def test_text_can_be_read(ink: str, ground: str) -> None:
    assert colours.contrast(INK[ink], INK[ground]) >= 4.5


@pytest.mark.parametrize("kind", ["good", "warn", "bad"])
def test_notices_can_be_read(kind: str) -> None:
    assert colours.contrast(INK[kind], INK[f"{kind}-ground"]) >= 4.5


def test_alert_levels_can_be_read() -> None:
    levels = re.findall(r"\.level-\d \{ background: (#\w+); color: (#\w+); \}", CSS)
    assert len(levels) == 4
    for ground, ink in levels:
        wide = f"#{ink[1] * 2}{ink[2] * 2}{ink[3] * 2}" if len(ink) == 4 else ink
        assert colours.contrast(ground, wide) >= 4.5, (ground, ink)


def test_contrast_is_wcags() -> None:
    assert colours.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert colours.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("colour", ["red", "#fff", '#ff0000"/><script>', "", None, "#GGGGGG"])
def test_only_a_colour_is_a_colour(colour: str | None) -> None:
    assert colours.checked(colour) == colours.NEUTRAL


def test_nothing_is_fetched_from_elsewhere() -> None:
    for path in [STATIC / "portal.css", STATIC / "embed.js", *STATIC.glob("*.svg")]:
        addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+", path.read_text(encoding="utf-8")))
        assert addresses <= {"http://www.w3.org"}, path
    for font in re.findall(r"url\(([^)]+)\)", CSS):
        assert (STATIC / font).exists(), font


def test_every_domain_has_an_icon() -> None:
    from ioc.domains import all_domains

    drawn = set(re.findall(r'symbol id="(\w+)"', (STATIC / "icons.svg").read_text(encoding="utf-8")))
    assert {domain.name for domain in all_domains()} <= drawn


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("/linh-vuc/air_quality", "/linh-vuc/air_quality"),
        ("/a?b=c", "/a?b=c"),
        ("//evil", "/"),
        ("https://evil", "/"),
        ("/\\evil", "/"),
        ("", "/"),
        (None, "/"),
        ("/a\nb", "/"),
    ],
)
def test_local_paths(given: str | None, path: str) -> None:
    assert local_path(given) == path


def test_the_policy_lets_in_one_frame_and_nothing_inline() -> None:
    policy = content_policy(origin("https://bi.example.vn:8443/superset/welcome"))
    assert "frame-src https://bi.example.vn:8443;" in policy
    assert "unsafe" not in policy
    assert "*" not in policy
