"""Who may do what in Superset: roles as code, and guests who stay guests. Runs in Superset's own environment."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from flask import has_request_context, request
from superset.errors import ErrorLevel, SupersetError, SupersetErrorType
from superset.exceptions import SupersetSecurityException
from superset.security import SupersetSecurityManager

if TYPE_CHECKING:
    from collections.abc import Callable

GUEST_ROLE = "EmbedGuest"
GUEST_AUDIENCE = "ioc-superset"
ANALYST_ROLE = "Phân tích viên"
LEADER_ROLE = "Lãnh đạo"

# The warehouse as Superset names it; its schema is the only data that people are given. SQL Lab asks for the permission
# with the database's name in it, datasets for the one without.
WAREHOUSE_NAME = "Kho dữ liệu IOC"
_DATABASE = os.environ.get("IOC_SUPERSET_WAREHOUSE_DATABASE", "warehouse")
SERVING_PERMISSIONS = frozenset(
    ("schema_access", name) for name in (f"[{WAREHOUSE_NAME}].[{_DATABASE}].[serving]", f"[{WAREHOUSE_NAME}].[serving]")
)

# Reading a chart's data rests on the token's dashboard, not on these: a guest has no access to any dataset by itself.
GUEST_PERMISSIONS = frozenset(
    {
        ("can_read", "Chart"),
        ("can_read", "Dashboard"),
        ("can_read", "CurrentUserRestApi"),
        # The page reports what was opened; without it every report is a 500 in the log.
        ("can_log", "Superset"),
        # The filter bar asks what "the last 30 days" are today.
        ("can_time_range", "Api"),
    }
)
LEADER_PERMISSIONS = (
    GUEST_PERMISSIONS
    | SERVING_PERMISSIONS
    | {
        ("can_read", "EmbeddedDashboard"),
        ("can_read", "DashboardFilterStateRestApi"),
        ("can_write", "DashboardFilterStateRestApi"),
        ("can_read", "DashboardPermalinkRestApi"),
        ("can_write", "DashboardPermalinkRestApi"),
        ("can_dashboard", "Superset"),
        ("can_dashboard_permalink", "Superset"),
        ("can_view_chart_as_table", "Dashboard"),
        ("can_csv", "Superset"),
        ("can_read", "Theme"),
        ("can_language_pack", "Superset"),
        ("can_get", "MenuApi"),
        ("menu_access", "Home"),
        ("menu_access", "Dashboards"),
    }
)


class IocSecurityManager(SupersetSecurityManager):
    """Superset's security manager, with guest tokens that win over sessions and the roles of the centre."""

    def load_user(self, pk: int) -> Any | None:
        """The user of the session cookie; nobody while the request carries a guest token.

        Superset asks for the token only when no session is found: somebody who once logged in to Superset would open
        the portal's dashboards with his own rights, past the row filter, and also after the token expired.
        """
        if has_request_context() and (request.headers.get("X-GuestToken") or "guest_token" in request.form):
            return None
        return super().load_user(pk)

    def raise_for_access(self, *args: Any, **arguments: Any) -> None:
        """Refuse what the user may not read, and to a guest everything but the queries stored with the chart.

        Superset 6.1 means to do the latter, but looks the chart up among those whose dataset the guest may read, finds
        none and skips the comparison; and for the values of a filter it compares nothing at all.
        """
        # Superset's models can be imported only once the application is being made, after this module.
        from superset.models.slice import Slice

        context = arguments.get("query_context")
        if context is not None and self.is_guest_user():
            form_data = context.form_data or {}
            if form_data.get("type") == "NATIVE_FILTER":
                self._raise_for_filter_values(context, form_data)
            else:
                context.slice_ = self.session.get(Slice, form_data.get("slice_id") or 0)
        super().raise_for_access(*args, **arguments)

    def _raise_for_filter_values(self, context: Any, form_data: dict[str, Any]) -> None:
        """A guest may ask a filter for the values of its own column only."""
        from superset.models.dashboard import Dashboard

        dashboard = self.session.get(Dashboard, form_data.get("dashboardId") or 0)
        metadata = json.loads((dashboard and dashboard.json_metadata) or "{}")
        own = {
            target.get("column", {}).get("name")
            for item in metadata.get("native_filter_configuration", [])
            if item.get("id") == form_data.get("native_filter_id")
            for target in item.get("targets", [])
        }
        for query in context.queries:
            asked = {column if isinstance(column, str) else json.dumps(column) for column in query.columns or []}
            if not asked <= own or query.metrics:
                raise SupersetSecurityException(
                    SupersetError(
                        error_type=SupersetErrorType.DASHBOARD_SECURITY_ACCESS_ERROR,
                        message="A guest may ask a filter for the values of its own column only",
                        level=ErrorLevel.WARNING,
                    )
                )

    def sync_ioc_roles(self) -> None:
        """Create or correct the guest's, the leader's and the analyst's role; rights added by hand are taken away."""
        for permission in SERVING_PERMISSIONS:
            self.add_permission_view_menu(*permission)
        self.session.flush()
        views = self._get_all_pvms()
        self._set(GUEST_ROLE, views, lambda key, _view: key in GUEST_PERMISSIONS)
        self._set(LEADER_ROLE, views, lambda key, _view: key in LEADER_PERMISSIONS)
        self._set(
            ANALYST_ROLE,
            views,
            lambda key, view: key in SERVING_PERMISSIONS or self._is_gamma_pvm(view) or self._is_sql_lab_pvm(view),
        )

    def _set(self, name: str, views: list[Any], wanted: Callable[[tuple[str, str], Any], bool]) -> None:
        role = self.add_role(name)
        role.permissions = [view for view in views if wanted((view.permission.name, view.view_menu.name), view)]
