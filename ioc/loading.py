"""A whole load of one domain, as the DAG's first three tasks do it: extract, validate, publish."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ioc.console import CommandError, Progress
from ioc.stack import environment

if TYPE_CHECKING:
    from datetime import datetime

    from ioc.settings import Settings


def load_domain(
    settings: Settings,
    domain: str,
    progress: Progress,
    *,
    source_uris: list[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> dict[str, Any]:
    """Load what is new of ``domain``.

    Returns:
        The counts of the load (domain, batches, files, read, loaded, duplicate, rejected) and how many batches were
        published and quarantined.

    Raises:
        CommandError: the source is not configured or does not answer.
    """
    from expectations import quarantine, runner
    from extractors.core import errors, pipeline

    environment.apply(settings)
    if not source_uris and not settings.source_uris(domain):
        raise CommandError(
            f"no source for {domain}: give --source, set IOC_SOURCE_{domain.upper()}, or let the sandbox play it",
            code=64,
        )
    unreachable: errors.Retriable | None = None
    loaded = None
    try:
        with progress.step(f"{domain}: extract, land, load"):
            loaded = pipeline.extract(domain, source_uris=source_uris, since=since, until=until)
    except errors.Retriable as error:
        # What the other sources brought is loaded: it goes on, as it does in the DAG.
        unreachable = error
    except errors.ExtractError as error:
        raise CommandError(str(error)) from error
    with progress.step(f"{domain}: validate"):
        runner.validate(domain)
    with progress.step(f"{domain}: publish"):
        published = pipeline.publish(domain)
        quarantine.announce(domain)
    if loaded is None:
        raise CommandError(f"{unreachable} (what the other sources sent is published)", code=3) from unreachable
    counts: dict[str, Any] = loaded.as_dict()
    return counts | {"published": published.published, "quarantined": published.quarantined}
