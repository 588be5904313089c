"""## Đánh giá cảnh báo · Evaluate alerts

Runs when a domain has new results (any of the assets) and every minute, because silence, deadlines and repeated
notifications depend on the clock. `evaluate` folds what is new into the alert states; `reconcile` compares what is true
with what people were told and fills the outbox; `notify` sends, one task per channel that has something to send. The
notifier service drains the same queues between the runs. `procedures` opens the cases that alarms ask for and fires
the clocks of escalations. A backfill evaluates beside the record and tells nobody.

Triage: evaluation is a function of data, rules and time, so the next minute repeats what a failed run left undone. A
red `notify` means that a gateway does not answer; messages stay in the outbox and keep their request id. Airflow runs
this DAG; the logic is in `alerts`.
"""

from airflow.sdk import AssetAny, AssetOrTimeSchedule, get_current_context, task
from ioc_dags import steps
from ioc_dags.domain_dag import asset
from ioc_dags.platform_dag import cron, platform_dag

from ioc.domains import all_domains

LIVE = [asset(domain.name) for domain in all_domains() if domain.status == "live"]

with platform_dag(
    "evaluate_alerts",
    __doc__,
    title_vi="Đánh giá cảnh báo",
    schedule=AssetOrTimeSchedule(timetable=cron("* * * * *"), assets=AssetAny(*LIVE)),
    tier=1,
    lane="fast",
) as dag:

    @task(multiple_outputs=False)
    def evaluate() -> dict[str, object]:
        """Fold what is new, look for silence."""
        run = get_current_context()["dag_run"]
        return steps.evaluate(run_id=run.run_id, run_type=run.run_type)

    @task
    def reconcile() -> list[str]:
        """Fill the outbox; returns the channels that have something to send."""
        return steps.reconcile()

    @task(multiple_outputs=False, map_index_template="{{ task.op_kwargs['channel'] }}")
    def notify(channel: str) -> dict[str, object]:
        """Send what the outbox holds for one channel."""
        return steps.drain(channel)

    # Whatever became of the tasks before: deadlines do not wait for them. Beside `notify`, so that a mail server that
    # dawdles holds up no escalation and a red `notify` still makes the run red.
    @task(multiple_outputs=False, trigger_rule="all_done")
    def procedures() -> dict[str, object]:
        """Open cases, fire clocks, tell of tasks and directives."""
        return steps.procedures()

    channels = reconcile()
    evaluate() >> channels >> procedures()
    notify.expand(channel=channels)
