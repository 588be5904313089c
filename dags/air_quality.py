"""## Môi trường không khí · Air quality

Every five minutes: files of the monitoring stations (FTP, SFTP) → raw → gate → AQI, exceedances, alert signals.

Triage: a red `extract` names the source that did not answer, and the other stations went on; a batch stopped by
`validate` is explained under *Data Docs* in the portal. Airflow runs this DAG; the logic is in `extractors`.
"""

from ioc_dags.domain_dag import domain_dag

dag = domain_dag("air_quality", __doc__)
