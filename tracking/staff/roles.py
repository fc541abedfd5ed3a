"""The roles that every installation has, as groups of Django's: which rights each gives on a site."""

from __future__ import annotations

from typing import Any, Final

from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.db import DEFAULT_DB_ALIAS, connections

from tracking.staff.sites import site_path

ROLES: Final = ("Viewer", "Analyst", "Merchandiser (drafts only)", "Merchandiser", "Engineer", "Owner")

ENGINEERING: Final = frozenset(
    {
        "site", "feed", "feedrun", "exchangerate", "trainingpolicy", "trainingrun", "modelversion", "healthreport",
        "driftreference", "quarantinedsource", "httpsource",
    }
)  # fmt: skip
KEYS: Final = frozenset({"apikey", "oauthclient", "clientcertificate", "deadletter"})
"""Secrets, and records with what people did in them."""
PEOPLE: Final = frozenset({"membership", "auditentry"})
REPORTS: Final = frozenset({"savedview"})

AREAS: Final = ("merchandising", "engineering", "keys", "people", "reports")
"""Every model that belongs to a site is of one area; what nothing above names is merchandising."""

VIEW, ALL = ("view",), ("view", "add", "change", "delete")
TABLE: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "Viewer": {"merchandising": VIEW, "engineering": VIEW, "reports": VIEW},
    "Analyst": {"merchandising": VIEW, "engineering": VIEW, "reports": ALL},
    "Merchandiser (drafts only)": {"merchandising": ALL, "engineering": VIEW, "reports": ALL},
    "Merchandiser": {"merchandising": ALL, "engineering": VIEW, "reports": ALL},
    "Engineer": {"merchandising": VIEW, "engineering": ALL, "keys": ALL, "reports": VIEW},
    "Owner": dict.fromkeys(AREAS, ALL),
}
"""What a role may do with the models of an area."""

RIGHTS: Final[dict[str, frozenset[str]]] = {
    "Viewer": frozenset({"view_report"}),
    "Analyst": frozenset({"view_report", "view_personal_data"}),
    "Merchandiser (drafts only)": frozenset({"view_report"}),
    "Merchandiser": frozenset({"view_report", "publish"}),
    "Engineer": frozenset({"view_report"}),
    "Owner": frozenset({"view_report", "view_personal_data", "publish"}),
}
"""Rights beside: ``publish`` stands for every permission whose name begins with ``publish_``."""

_LIVE_AT_ONCE: Final = frozenset(
    {"placement", "campaign", "recalleditem", "experiment", "arm", "holdout", "leaderboard"}
)
"""Models whose change is live when it is saved: to change one is to publish."""
_USUAL: Final = ("view", "add", "change", "delete")


def area_of(model: type[Any]) -> str:
    """Return the area of a model that belongs to a site."""
    name = model._meta.model_name
    for area, names in (("engineering", ENGINEERING), ("keys", KEYS), ("people", PEOPLE), ("reports", REPORTS)):
        if name in names:
            return area
    return "merchandising"


def gives(role: str, model: type[Any], codename: str) -> bool:
    """Return whether a role has a permission of a model, such as ``change_rule``, on its site."""
    action, _, rest = codename.partition("_")
    name = str(model._meta.model_name)
    may_publish = "publish" in RIGHTS[role]
    if action not in _USUAL or rest != name:
        return may_publish if action == "publish" else codename in RIGHTS[role]
    if name in _LIVE_AT_ONCE and action != "view" and not may_publish:
        return False
    return action in TABLE[role].get(area_of(model), ())


def ensure_roles(*, using: str = DEFAULT_DB_ALIAS, **kwargs: object) -> None:
    """Make the groups of the roles, and give them what stands in the table; after each migration.

    Whoever wants something else makes a group of another name. Three queries where all is as it should be; nothing
    where only some applications have their tables yet.
    """
    if not {Permission._meta.db_table, Group._meta.db_table} <= set(connections[using].introspection.table_names()):
        return
    models = {
        (model._meta.app_label, model._meta.model_name): model
        for model in apps.get_models()
        if site_path(model) is not None
    }
    rows = Permission.objects.values_list("pk", "content_type__app_label", "content_type__model", "codename")
    wanted = {
        (role, number)
        for number, app, name, codename in rows
        for role in ROLES
        if (model := models.get((app, name))) is not None and gives(role, model, codename)
    }
    held = Group.permissions.through.objects
    rows_held = held.filter(group__name__in=ROLES).values_list("group__name", "permission", "pk")
    known = {(name, number): row for name, number, row in rows_held}
    if wanted == known.keys():
        return
    groups = {role: Group.objects.get_or_create(name=role)[0].pk for role in ROLES}
    held.filter(pk__in=[row for pair, row in known.items() if pair not in wanted]).delete()
    held.bulk_create(
        [held.model(group_id=groups[role], permission_id=number) for role, number in sorted(wanted - known.keys())]
    )
