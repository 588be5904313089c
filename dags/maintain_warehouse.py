"""## Bảo trì kho dữ liệu · Maintain the warehouse

Daily at 02:00: partitions of the coming months, retention by configuration (`IOC_KEEP_*`), old landed files, backups,
logs and runs, vacuum and statistics; the audit chain is verified; every alert rule must reach two people.

Triage: the tasks do not depend on each other; clear the red one. A red `audit` is not for clearing: somebody changed
the record of what people did; keep the database as it is and compare with a backup (`ioc audit verify`). Airflow runs
this DAG; the logic is in `ioc.maintenance`.
"""

from airflow.sdk import task
from ioc_dags import steps
from ioc_dags.platform_dag import cron, platform_dag

with platform_dag(
    "maintain_warehouse", __doc__, title_vi="Bảo trì kho dữ liệu", schedule=cron("0 2 * * *"), tier=2
) as dag:

    @task(multiple_outputs=False)
    def partitions() -> dict[str, list[str]]:
        """Partitions of the coming months."""
        return steps.make_partitions()

    @task(multiple_outputs=False)
    def retention() -> dict[str, object]:
        """Remove what is older than the configuration keeps."""
        return steps.maintain("retention")

    @task(multiple_outputs=False)
    def files() -> dict[str, object]:
        """Remove old landed packs, backups and logs."""
        return steps.maintain("files")

    @task
    def history() -> str:
        """Remove old runs from Airflow's database."""
        return steps.trim_history()

    @task(multiple_outputs=False)
    def statistics() -> dict[str, object]:
        """Vacuum and analyse what changed."""
        return steps.maintain("statistics")

    @task(multiple_outputs=False)
    def audit() -> dict[str, object]:
        """Verify the audit chain."""
        return steps.verify_audit()

    @task(multiple_outputs=False)
    def reachability() -> dict[str, object]:
        """Check that every alert rule reaches two people everywhere."""
        return steps.check_reachability()

    partitions()
    audit()
    reachability()
    retention()
    files()
    history()
    statistics()
