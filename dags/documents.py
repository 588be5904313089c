"""## Xử lý văn bản và điều hành · Documents and direction

Every two hours: three lists of the document system (API) → raw → gate → groups by deadline, days, alert signals.

Triage: a red `extract` names the list that did not answer, and the others went on; "check the user" means that the
login of `IOC_SOURCE_DOCUMENTS` is refused; "pages still shift" heals with the next run. A batch stopped by `validate`
is explained under *Data Docs* in the portal: most likely the source has renamed fields (`extractors/documents/apis`).
Airflow runs this DAG; the logic is in `extractors`.
"""

from ioc_dags.domain_dag import domain_dag

dag = domain_dag("documents", __doc__)
