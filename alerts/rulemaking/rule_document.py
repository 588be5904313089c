"""A rule as people write and review it: one document, the same in YAML files, in drafts and in the tables.

``parse`` reads a document of a rule file, ``dump`` writes it back byte for byte the same for the same meaning, and
``as_rule`` gives what the fold needs. No database here.
"""

from __future__ import annotations

import re
from dataclasses import MISSING, asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import yaml

from alerts.judging.fold import Level
from alerts.rulemaking.rulebook import Rule, RuleVersion, Scope
from ioc.settings import TIME_ZONE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_ZONE = ZoneInfo(TIME_ZONE)
SCOPES = ("entity", "pattern", "unit", "province")  # the most specific first, as the rulebook reads them
HEAD_FIELDS = ("owner_unit", "title_vi", "title_en", "unit_vi", "sop_template_code", "sop_min_level")
_UNITS = {"day": 86400, "hour": 3600, "minute": 60, "second": 1}
_UNIT_WORDS = {
    "d": "day", "day": "day", "days": "day", "ngày": "day", "h": "hour", "hour": "hour", "hours": "hour", "giờ": "hour",
    "m": "minute", "min": "minute", "minute": "minute", "minutes": "minute", "phút": "minute",
    "s": "second", "second": "second", "seconds": "second", "giây": "second",
}  # fmt: skip
# Names of a document's threshold that differ from the column's.
_SHORT = {"enter_value": "enter", "exit_value": "exit", "enter_strict": "strict", "for_dur": "for", "keep_dur": "keep"}


class RuleFileError(ValueError):
    """A rule file cannot be loaded; the message names file, rule and reason."""


def duration(text: object) -> timedelta:
    """``15 minutes``, ``1h 30m``, ``2 giờ``, ``0`` as a duration.

    Raises:
        ValueError: anything else.
    """
    if isinstance(text, timedelta):
        return text
    rest = str(text).strip().lower()
    if rest in ("0", ""):
        return timedelta(0)
    parts = re.findall(r"(\d+)\s*([^\W\d_]+)", rest)
    if not parts or re.sub(r"(\d+)\s*([^\W\d_]+)", "", rest).strip():
        raise ValueError(f"'{text}' is not a duration; write for example 15 minutes, 1 hour, 30 days")
    seconds = 0
    for number, unit in parts:
        if unit not in _UNIT_WORDS:
            raise ValueError(f"'{text}' is not a duration: unknown unit '{unit}'")
        seconds += int(number) * _UNITS[_UNIT_WORDS[unit]]
    if seconds > 366 * 86400:
        raise ValueError(f"'{text}' is longer than a year")
    return timedelta(seconds=seconds)


def duration_text(value: timedelta) -> str:
    """A duration in its largest whole unit: ``90 minutes``, ``26 hours``, ``30 days``."""
    seconds = int(value.total_seconds())
    for unit, size in _UNITS.items():
        if seconds and seconds % size == 0:
            count = seconds // size
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "0"


def elapsed_text(value: timedelta) -> str:
    """A length of time as people read it off a clock: ``12 hours 15 minutes``."""
    rest, parts = int(value.total_seconds()), []
    for unit, size in _UNITS.items():
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {unit}{'' if count == 1 else 's'}")
    return " ".join(parts) or "0"


@dataclass(frozen=True)
class Threshold:
    """One level in one scope; columns of ``alert.threshold``."""

    level: int
    enter_value: Decimal
    exit_value: Decimal
    enter_strict: bool = False
    for_dur: timedelta = timedelta(0)
    keep_dur: timedelta = timedelta(0)
    label_vi: str = ""
    label_en: str = ""
    scope_kind: str = "province"
    scope_value: str = ""

    @property
    def order(self) -> tuple[int, int, str, int]:
        """The most specific scope first, longer patterns before shorter ones: the order of the rulebook."""
        kind = SCOPES.index(self.scope_kind) if self.scope_kind in SCOPES else len(SCOPES)
        return kind, -len(self.scope_value), self.scope_value, self.level


@dataclass(frozen=True)
class RuleDocument:
    """A rule with one version of it. The first ten fields belong to the rule, the others to the version.

    Without a unit of measure (``unit_vi: null``; ``""`` is one, of a plain number) it watches a state: its values are
    codes, and people read the label of their level instead.
    """

    code: str
    domain: str
    signal_code: str
    entity_type: str | None
    owner_unit: str
    title_vi: str
    title_en: str
    unit_vi: str | None
    sop_template_code: str | None
    sop_min_level: int | None
    effective_from: datetime
    direction: str
    max_gap: timedelta
    nodata_after: tuple[timedelta, ...]
    retire_after: timedelta
    notify_max_age: timedelta
    calendar_code: str | None
    message_vi: str
    message_en: str
    legal_basis: str
    reason: str
    thresholds: tuple[Threshold, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "thresholds", tuple(sorted(self.thresholds, key=lambda t: t.order)))
        object.__setattr__(self, "effective_from", self.effective_from.astimezone(UTC))

    @property
    def watches(self) -> str:
        """``source`` for the rule on its domain's source (:mod:`alerts.judging.sources`), ``signal`` for all others."""
        return "source" if self.signal_code == f"{self.domain}.source" else "signal"

    @property
    def head(self) -> dict[str, Any]:
        """The fields of the rule itself that a new version may change."""
        return {name: getattr(self, name) for name in HEAD_FIELDS}

    def differences(self, other: RuleDocument) -> list[tuple[str, str, str]]:
        """``(field, here, there)`` of every field that differs, as text."""
        mine, theirs = _plain(self), _plain(other)
        found = [
            (name, str(mine[name]), str(theirs[name]))
            for name in mine if name != "thresholds" and mine[name] != theirs[name]
        ]  # fmt: skip
        ours = {(t.scope_kind, t.scope_value, t.level): _plain_threshold(t) for t in self.thresholds}
        those = {(t.scope_kind, t.scope_value, t.level): _plain_threshold(t) for t in other.thresholds}
        for key in sorted(ours.keys() | those.keys()):
            if ours.get(key) != those.get(key):
                name = f"threshold {' '.join(str(part) for part in key if part)}"
                found.append((name, str(ours.get(key, "–")), str(those.get(key, "–"))))
        return found


_FIELDS = tuple(f.name for f in fields(RuleDocument))
_THRESHOLD_FIELDS = {_SHORT.get(f.name, f.name): f for f in fields(Threshold)}


def parse(raw: Any) -> RuleDocument:
    """Read one rule of a rule file.

    Raises:
        RuleFileError: a field is missing or unknown, or its value cannot be read.
    """
    if not isinstance(raw, dict):
        raise RuleFileError(f"a rule is a mapping, not {raw!r}")
    name = f"rule {raw.get('code', '?')}"
    for missing in (field for field in _FIELDS if field not in raw):
        raise RuleFileError(f"{name} lacks the field '{missing}'")
    for unknown in (field for field in raw if field not in _FIELDS):
        raise RuleFileError(f"{name} has an unknown field '{unknown}'")
    values = dict(raw)
    try:
        for field in ("max_gap", "retire_after", "notify_max_age"):
            values[field] = duration(raw[field])
        values["nodata_after"] = tuple(duration(item) for item in raw["nodata_after"] or ())
        values["effective_from"] = _moment(raw["effective_from"])
        values["thresholds"] = tuple(_threshold(item) for item in raw["thresholds"] or ())
        return RuleDocument(**values)
    except (ValueError, TypeError, InvalidOperation) as error:
        raise RuleFileError(f"{name}: {error}") from error


def _moment(value: object) -> datetime:
    found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return found if found.tzinfo else found.replace(tzinfo=_ZONE)


def _threshold(raw: Mapping[str, Any]) -> Threshold:
    for unknown in (name for name in raw if name not in _THRESHOLD_FIELDS):
        raise RuleFileError(f"a threshold has an unknown field '{unknown}'")
    for name, known in _THRESHOLD_FIELDS.items():
        if name not in raw and known.default is MISSING:
            raise RuleFileError(f"a threshold lacks the field '{name}'")
    values = {_THRESHOLD_FIELDS[name].name: value for name, value in raw.items()}
    for name in ("enter_value", "exit_value"):
        values[name] = Decimal(str(values[name]))
        if not values[name].is_finite():
            raise RuleFileError(f"{values[name]} is not a number")
    for name in ("for_dur", "keep_dur"):
        values[name] = duration(values.get(name, 0))
    return Threshold(**values)


def as_rule(
    document: RuleDocument, *, rule_id: int = 0, rule_version_id: int = 0, starts: datetime | None = None
) -> Rule:
    """The rule as the engine would hold it, with this version alone, in force from ``starts`` (default: its own)."""
    version = RuleVersion(
        rule_version_id, starts or document.effective_from, None, document.direction, document.max_gap,
        list(document.nodata_after), document.retire_after, document.notify_max_age,
    )  # fmt: skip
    for t in document.thresholds:
        scope = Scope(t.scope_kind, t.scope_value)
        level = Level(
            t.level, float(t.enter_value), float(t.exit_value), t.for_dur, t.keep_dur, enter_strict=t.enter_strict
        )
        version.levels[scope] = (*version.levels.get(scope, ()), level)
    return Rule(
        rule_id, document.code, document.domain, document.signal_code, document.entity_type, document.watches, [version]
    )


# ---------------------------------------------------------------------------------------------------------------------
# Writing
# ---------------------------------------------------------------------------------------------------------------------


class _Flow(dict[str, Any]):
    """A mapping on one line."""


class _FlowList(list[Any]):
    """A list on one line."""


class _Quoted(str):
    """Text in double quotes, whatever it holds."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Keeps the style of the files that people edit, so that a review shows what changed and nothing else."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)

    def write_plain(self, text: str, split: bool = True) -> None:
        super().write_plain(text, split and not self.flow_level)


_Dumper.add_representer(_Flow, lambda d, v: d.represent_mapping("tag:yaml.org,2002:map", v, flow_style=True))
_Dumper.add_representer(_FlowList, lambda d, v: d.represent_sequence("tag:yaml.org,2002:seq", v, flow_style=True))
_Dumper.add_representer(_Quoted, lambda d, v: d.represent_scalar("tag:yaml.org,2002:str", str(v), style='"'))
_Dumper.add_representer(
    datetime, lambda d, v: d.represent_scalar("tag:yaml.org,2002:timestamp", v.astimezone(_ZONE).isoformat())
)


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def _plain_threshold(t: Threshold) -> _Flow:
    values: dict[str, Any] = {"scope_kind": t.scope_kind, "scope_value": t.scope_value} if t.scope_value else {}
    values |= {"level": t.level, "enter": _number(t.enter_value), "exit": _number(t.exit_value)}
    if t.enter_strict:
        values["strict"] = True
    values |= {name: duration_text(held) for name, held in (("for", t.for_dur), ("keep", t.keep_dur)) if held}
    return _Flow(values, label_vi=t.label_vi, label_en=t.label_en)


def _plain(document: RuleDocument) -> dict[str, Any]:
    """The document in the types of YAML, fields in their order."""
    plain = {name: getattr(document, name) for name in _FIELDS}
    plain |= {name: duration_text(plain[name]) for name in ("max_gap", "retire_after", "notify_max_age")}
    plain["nodata_after"] = _FlowList(duration_text(silence) for silence in document.nodata_after)
    plain |= {name: _Quoted(plain[name]) for name in ("message_vi", "message_en")}
    plain["unit_vi"] = _Quoted() if document.unit_vi == "" else document.unit_vi
    plain["thresholds"] = [_plain_threshold(t) for t in document.thresholds]
    return plain


def dump(domain: str, documents: Iterable[RuleDocument]) -> str:
    """A rule file: the documents in the order of their codes, a blank line between them."""
    parts = [
        yaml.dump([_plain(document)], Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=118)
        for document in sorted(documents, key=lambda d: d.code)
    ]
    return (
        f"# Rules of the domain {domain}. First load and review; once loaded, the tables are the truth (see README).\n"
        "# A change is a new effective_from: versions never change. `ioc alerts rules export` writes this very form.\n"
        + "\n".join(parts)
    )


def as_dict(document: RuleDocument) -> dict[str, Any]:
    """The document as plain values (durations and numbers unchanged)."""
    return asdict(document)
