"""## Xả thải công nghiệp · Industrial discharge

Every five minutes: files of the stations at waste water outlets and stacks (FTP, SFTP) → raw → gate → means, ratios to
the limits of permits and standards, loads, connection gaps, alert signals.

Triage: a red `extract` names the source that did not answer, and the other stations went on; a batch stopped by
`validate` is explained under *Data Docs* in the portal. A station that is silent is no failure of this DAG: the rule's
no-data policy tells. Clearing and triggering again are both harmless. Airflow runs this DAG; the logic is in
`extractors`.
"""

from ioc_dags.domain_dag import domain_dag

dag = domain_dag("industrial_discharge", __doc__)
