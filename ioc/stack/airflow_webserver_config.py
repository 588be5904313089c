"""Flask side of Airflow's login: people log in with a name and a password kept in Airflow's own database."""

import os

from flask_appbuilder.const import AUTH_DB  # type: ignore[import-untyped]

AUTH_TYPE = AUTH_DB
WTF_CSRF_ENABLED = True
# Cookies are shared by all ports of a host: Superset, the portal and a second stack must not overwrite this session.
SESSION_COOKIE_NAME = os.environ.get("IOC_AIRFLOW_COOKIE", "airflow_session")
