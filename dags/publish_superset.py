"""## Xuất bản bảng điều khiển · Publish dashboards

Daily: brings Superset's databases, datasets, charts and dashboards to what the files in `superset_assets` say, so that
a change made by hand in Superset and not brought back with `ioc superset pull` does not live on unnoticed.

Triage: a refused bundle names the asset; `ioc superset check` shows the same offline. Airflow runs this DAG; the logic
is in `superset_assets`.
"""

from airflow.sdk import task
from ioc_dags import steps
from ioc_dags.platform_dag import cron, platform_dag

with platform_dag(
    "publish_superset", __doc__, title_vi="Xuất bản bảng điều khiển", schedule=cron("30 3 * * *"), tier=3
) as dag:

    @task(multiple_outputs=False)
    def push() -> dict[str, object]:
        """Overwrite Superset's assets with the files."""
        return steps.push_dashboards()

    push()
