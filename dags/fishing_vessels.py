"""## Hoạt động tàu cá · Fishing vessels

Every hour: positions, registry and port reports (API of the vessel monitoring system) → raw → gate → states, episodes,
alert signals.

Triage: a red `extract` names the list that did not answer (positions, vessels or port_events), and the other lists went
on; while positions are missing no vessel is called silent, and the alert is that of the source. A batch stopped by
`validate` is explained under *Data Docs* in the portal. Clear or re-trigger as you like: the ledger knows what is due.
Airflow runs this DAG; the logic is in `extractors`.
"""

from ioc_dags.domain_dag import domain_dag

dag = domain_dag("fishing_vessels", __doc__)
