"""Finds a domain by its package ``extractors.<domain>``: a new folder is a new domain, no list to edit.

A domain package has two modules: ``entities`` with ``ENTITIES``, and ``source`` with ``format_for(mapping)``. One that
only declares interfaces, ``apis/<name>.toml``, needs neither: both follow from the declarations.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import extractors
from extractors.core.api.declaration import load
from extractors.core.errors import Fatal
from extractors.core.formats.records import RecordsFormat

if TYPE_CHECKING:
    from extractors.core.entities import Entity
    from extractors.core.formats import Format


def _attribute(domain: str, module: str, attribute: str) -> Any:
    name = f"extractors.{domain}.{module}"
    try:
        return getattr(import_module(name), attribute)
    except ModuleNotFoundError as error:
        if error.name not in (name, f"extractors.{domain}"):
            raise
        if declared := interfaces_of(domain):
            return _follows(declared)[attribute]
        raise Fatal(
            f"domain '{domain}' cannot be extracted: there is no module {name}; a domain is a folder "
            "extractors/<domain>/ with entities.py and source.py, or apis/*.toml (see extractors/README.md)"
        ) from error
    except AttributeError as error:
        raise Fatal(f"{name} has no '{attribute}' (see extractors/README.md)") from error


def interfaces_of(domain: str) -> dict[str, RecordsFormat]:
    """The interfaces that a domain declares, by name; for ``entities.py`` and ``source.py`` of one that has files too.

    Raises:
        Fatal: a declaration is wrong, or two name the same table.
    """
    paths = sorted(path for root in extractors.__path__ for path in (Path(root) / domain / "apis").glob("*.toml"))
    formats = {path.stem: RecordsFormat(load(path)) for path in paths}
    tables = [entity.name for one in formats.values() for entity in one.entities]
    if len(tables) != len(set(tables)):
        raise Fatal(f"domain '{domain}': two declarations in apis/ name the same table; each has its own")
    return formats


def _follows(formats: dict[str, RecordsFormat]) -> dict[str, Any]:
    def format_for(mapping: str | None) -> Format:
        if mapping is None and len(formats) == 1:
            return next(iter(formats.values()))
        if mapping not in formats:
            known = ", ".join(formats)
            raise Fatal(
                f"no interface '{mapping or ''}' (known: {known}); name one in the source URI: https://…#<name>"
            )
        return formats[mapping]

    entities = tuple(entity for one in formats.values() for entity in one.entities)
    return {"ENTITIES": entities, "format_for": format_for}


def is_extractable(domain: str) -> bool:
    """Whether the domain's package declares entities and a source yet."""
    try:
        _attribute(domain, "entities", "ENTITIES")
        _attribute(domain, "source", "format_for")
    except Fatal:
        return False
    return True


def entities_of(domain: str) -> tuple[Entity, ...]:
    """Raw tables of ``domain``.

    Raises:
        Fatal: the domain has no package, or declares no entities.
    """
    entities: tuple[Entity, ...] = _attribute(domain, "entities", "ENTITIES")
    return entities


def format_of(domain: str, mapping: str | None) -> Format:
    """The parser for files of ``domain``.

    Args:
        domain: Domain name.
        mapping: Fragment of the source URI, the name of a file ``extractors/<domain>/formats/<mapping>.toml``, or of
            an interface ``extractors/<domain>/apis/<mapping>.toml``.

    Raises:
        Fatal: the domain has no package, or no such mapping.
    """
    chosen: Format = _attribute(domain, "source", "format_for")(mapping)
    return chosen
