"""## Sao lưu kho dữ liệu · Back up the warehouse

Daily at 01:00: a consistent dump with the row count of every table beside it. `maintain_warehouse` removes old ones.

Triage: a failed dump leaves no file; free disk space, then clear. `ioc warehouse restore` brings a dump into a new
database and compares the counts. Airflow runs this DAG; the logic is in `ioc.warehouse.backup`.
"""

from airflow.sdk import task
from ioc_dags import steps
from ioc_dags.platform_dag import cron, platform_dag

with platform_dag(
    "backup_warehouse", __doc__, title_vi="Sao lưu kho dữ liệu", schedule=cron("0 1 * * *"), tier=2
) as dag:

    @task
    def dump() -> str:
        """Write the dump; returns its name."""
        return steps.back_up()

    dump()
