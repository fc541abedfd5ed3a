"""Which site a row belongs to, and which sites somebody of the staff may see and change."""

from __future__ import annotations

from collections import defaultdict
from contextvars import ContextVar, Token
from functools import cache
from typing import Any, Final

from django.contrib.auth.models import Permission
from django.core.exceptions import FieldDoesNotExist
from django.db.models import ForeignKey, Model, OneToOneField, QuerySet
from django.http import HttpRequest

from tracking.models import Membership, Site

Rights = dict[int, frozenset[str]]
"""Site → permissions such as ``recommendations.change_rule`` that somebody has on it."""
_KEPT: Final = "_recsite_rights"
_asking: ContextVar[Any] = ContextVar("staff", default=None)


def site_path(model: Any) -> str | None:
    """Return the lookup from a model to its site, such as ``site`` or ``feed__site``; None where it has none."""
    return _site_path(model)


@cache
def _site_path(model: Any) -> str | None:
    if model is Site:
        return "pk"
    try:
        own = model._meta.get_field("site")
    except FieldDoesNotExist:
        own = None
    if own is not None and own.related_model is Site:
        return "site"
    for field in model._meta.get_fields():
        is_key = isinstance(field, ForeignKey | OneToOneField) and not field.null
        if is_key and isinstance(field.related_model, type) and field.related_model is not model:
            through = _own_path(field.related_model)
            if through is not None:
                return f"{field.name}__{through}"
    return None


def _own_path(model: type[Any]) -> str | None:
    try:
        field = model._meta.get_field("site")
    except FieldDoesNotExist:
        return None
    return "site" if field.related_model is Site else None


def site_id_of(row: Model) -> int | None:
    """Return the site that a row belongs to; None for one that is of no site, or of none any more."""
    path = site_path(type(row))
    if path is None:
        return None
    found: Any = row
    for name in path.split("__"):
        found = getattr(found, name, None) if name != "site" else getattr(found, "site_id", None)
        if found is None:
            return None
    return int(found)


def rights_of(user: Any) -> Rights:
    """Return what somebody may do where: the rights of their roles, and on those sites also their own.

    Asks the database once a request: the answer stays with the user object.
    """
    if not user.is_active or not user.is_staff:
        return {}
    found: Rights | None = getattr(user, _KEPT, None)
    if found is None:
        found = _read_rights(user)
        setattr(user, _KEPT, found)
    return found


def sees_everything(user: Any) -> bool:
    """Return whether somebody sees every site: a superuser."""
    return bool(user.is_active and user.is_superuser)


def may(user: Any, permission: str, site_id: int | None) -> bool:
    """Return whether somebody has a permission on a site; rows of no site are for superusers."""
    if sees_everything(user):
        return True
    return site_id is not None and permission in rights_of(user).get(site_id, frozenset())


def sites_of(user: Any, permission: str | None = None) -> QuerySet[Site]:
    """Return the sites that somebody sees, or on which they have a permission."""
    if sees_everything(user):
        return Site.objects.all()
    rights = rights_of(user)
    return Site.objects.filter(pk__in=[site for site, held in rights.items() if permission in (None, *held)])


def within_sites(rows: QuerySet[Any], user: Any, permission: str | None = None) -> QuerySet[Any]:
    """Return the rows of the sites that somebody sees, or on which they have a permission; all of what has no site."""
    path = site_path(rows.model)
    if path is None or sees_everything(user):
        return rows
    return rows.filter(**{f"{path}__in": sites_of(user, permission)})


def answer_for(user: Any) -> Token[Any]:
    """Remember for whom of the staff this thread or task answers; ``None`` for nobody."""
    return _asking.set(user)


def seen(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Return the rows that the staff member sees for whom this is answered; all of them outside of the admin.

    For forms and filters, which are not told of the request.
    """
    user = _asking.get()
    return rows if user is None else within_sites(rows, user)


def active_sites(request: HttpRequest, permission: str | None = None) -> list[Site]:
    """Return the active sites that a page of the staff may offer."""
    return list(sites_of(request.user, permission).filter(is_active=True))


def _read_rights(user: Any) -> Rights:
    roles: dict[int, set[int]] = defaultdict(set)
    for site_id, role_id in Membership.objects.filter(user=user).values_list("site_id", "role_id"):
        roles[site_id].add(role_id)
    if not roles:
        return {}
    by_group: dict[int, set[str]] = defaultdict(set)
    groups = {role for held in roles.values() for role in held}
    rows = Permission.objects.filter(group__in=groups).values_list("group", "content_type__app_label", "codename")
    for group, app, codename in rows:
        by_group[group].add(f"{app}.{codename}")
    own = _own_rights(user)
    return {site: frozenset(own.union(*(by_group[role] for role in held))) for site, held in roles.items()}


def _own_rights(user: Any) -> set[str]:
    """Return what somebody may do by permissions and groups of their own, without asking our backend again."""
    rows = Permission.objects.filter(user=user) | Permission.objects.filter(group__user=user)
    return {f"{app}.{codename}" for app, codename in rows.values_list("content_type__app_label", "codename")}
