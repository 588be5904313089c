"""Finds a domain by its package ``extractors.<domain>``: a new folder is a new domain, no list to edit.

A domain package has two modules: ``entities`` with ``ENTITIES``, and ``source`` with ``format_for(mapping)``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from extractors.core.errors import Fatal

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
        raise Fatal(
            f"domain '{domain}' cannot be extracted: there is no module {name}; a domain is a folder "
            "extractors/<domain>/ with entities.py and source.py (see extractors/README.md)"
        ) from error
    except AttributeError as error:
        raise Fatal(f"{name} has no '{attribute}' (see extractors/README.md)") from error


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
        mapping: Fragment of the source URI, the name of a file ``extractors/<domain>/formats/<mapping>.toml``.

    Raises:
        Fatal: the domain has no package, or no such mapping.
    """
    chosen: Format = _attribute(domain, "source", "format_for")(mapping)
    return chosen
