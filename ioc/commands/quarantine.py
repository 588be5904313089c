"""``ioc quarantine``: what the gate stopped, and the decision about it."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from ioc import console, warehouse
from ioc.commands import Json

app = typer.Typer(no_args_is_help=True, help="Batches that the gate stopped: look, let pass, give up.")

Batch = Annotated[int, typer.Argument(help="Number of the batch: ops.load_batch.batch_id.")]
By = Annotated[str, typer.Option(help="Who decides; kept with the batch.")]
Reason = Annotated[str, typer.Option(help="Why; kept with the batch.")]


@app.command("list")
def waiting(json: Json = False) -> None:
    """The batches that wait for a decision, and what they failed."""
    with warehouse.connect("loader") as connection:
        rows = connection.execute(
            """
            select b.batch_id, b.domain, b.started_at, b.loaded_count,
                array(select distinct coalesce(v.description_vi, v.expectation)
                      from ops.validation_result v
                      where v.batch_id = b.batch_id and not v.success and v.severity = 'stop' order by 1)
            from ops.load_batch b where b.status = 'quarantined' order by b.batch_id
            """
        ).fetchall()
    for batch_id, domain, started_at, count, failed in rows:
        console.out.print(f"{batch_id}  {domain}  {started_at:%Y-%m-%d %H:%M}  {count} rows  {'; '.join(failed)}")
    if not rows:
        console.out.print("nothing waits in quarantine")
    if json:
        names = ("batch_id", "domain", "started_at", "loaded", "failed")
        console.print_json({"batches": [dict(zip(names, row, strict=True)) for row in rows]})


@app.command()
def release(batch: Batch, by: By, reason: Reason, json: Json = False) -> None:
    """Let a stopped batch pass; the next run of its DAG publishes it."""
    from expectations import quarantine

    _decide(quarantine.release, batch, by, reason, json)


@app.command()
def discard(batch: Batch, by: By, reason: Reason, json: Json = False) -> None:
    """Give a stopped batch up: its rows leave raw, so that a corrected resend is loaded."""
    from expectations import quarantine

    _decide(quarantine.discard, batch, by, reason, json)


def _decide(act: Callable[..., Any], batch: int, by: str, reason: str, json: bool) -> None:
    from expectations.quarantine import QuarantineError

    try:
        decision = act(batch, by=by, reason=reason).as_dict()
    except QuarantineError as error:
        raise console.CommandError(str(error)) from error
    console.out.print("batch {batch_id} of {domain}: {act}, {row_count} rows".format(**decision))
    if json:
        console.print_json(decision)
