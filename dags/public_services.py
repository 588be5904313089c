"""## Dịch vụ hành chính công · Public administrative services

Every hour: dossiers, units and totals of the one-stop system (HTTP interface) → raw → gate → status history, closed
days, both measures of on-time, reconciliation, alert signals.

Triage: a red `extract` names the interface that did not answer or refused the login (`IOC_SOURCE_PUBLIC_SERVICES`);
what was read before is kept and the next run goes on from there, so clear rather than re-trigger. A batch stopped by
`validate` is explained under *Data Docs* in the portal. Totals that differ from ours are no failure: see the tab *Đối
soát* of the dashboard. Airflow runs this DAG; the logic is in `extractors`.
"""

from ioc_dags.domain_dag import domain_dag

dag = domain_dag("public_services", __doc__)
