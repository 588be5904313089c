"""## Phản hồi của người dân · Citizen feedback

Every three hours: changed reports of "Phản hồi Thanh Hóa" (interface with token and pages) → raw → gate → deadlines,
daily books, alert signals.

Triage: a red `extract` that names 401 means that the login has changed (`IOC_SOURCE_CITIZEN_FEEDBACK`); "its pages
still shift" means that the source was busy, and the next run reads the same window again. Trigger again rather than
clear. Airflow runs this DAG; the logic is in `extractors`.
"""

from ioc_dags.domain_dag import domain_dag

dag = domain_dag("citizen_feedback", __doc__)
