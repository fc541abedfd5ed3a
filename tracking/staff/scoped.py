"""Every screen of the admin, held to the sites that somebody is a member of: put before each ``ModelAdmin``.

The admin's site does that when a screen is registered, so that no screen can forget it.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from functools import partial
from typing import Any

from django import forms
from django.contrib.admin.filters import RelatedFieldListFilter
from django.core.exceptions import FieldDoesNotExist, PermissionDenied
from django.db.models import JSONField, Model, Q, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.html import conditional_escape, strip_tags
from django.utils.translation import gettext as _

from tracking.models import Site
from tracking.staff.sites import may, sees_everything, site_id_of, site_path, within_sites

Base: Any = object


class SiteFilter(RelatedFieldListFilter):
    """A filter by something related that offers what somebody may see."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        """Return the choices on the sites that somebody sees."""
        choices: Any = super().field_choices(field, request, model_admin)
        if sees_everything(request.user):
            return choices
        seen = set(within_sites(field.related_model._default_manager.all(), request.user).values_list("pk", flat=True))
        return [choice for choice in choices if choice[0] in seen]


class SiteScoped(Base):  # type: ignore[misc]  # it stands before any ModelAdmin
    """What a ``ModelAdmin`` shows and allows, on the sites that somebody is a member of."""

    @property
    def readonly_preprocess_fields(self) -> dict[str, Callable[[str], str]]:
        """Return how fields of JSON are written that cannot be changed: Unfold would show ``[ ]`` for an empty list.

        A screen's ``any_when_empty`` names lists of which an empty one is everything.
        """
        any_of = getattr(self, "any_when_empty", ())
        names = [field.name for field in self.model._meta.concrete_fields if isinstance(field, JSONField)]
        return {name: partial(listed, empty=_("any") if name in any_of else "-") for name in names}

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Return the actions on chosen rows that somebody may do; one that does not say what it needs changes rows."""
        actions: dict[str, Any] = super().get_actions(request)
        if self.has_change_permission(request):
            return actions
        return {name: one for name, one in actions.items() if getattr(one[0], "allowed_permissions", None)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the rows that somebody may see; those of a chosen action are rows that they may change."""
        rows: QuerySet[Any] = super().get_queryset(request)
        needed = self._codename("change") if getattr(request, "_is_bulk", False) else None
        return within_sites(rows, request.user, needed)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        """Let a chosen action work on rows alone that somebody may change."""
        request._is_bulk = request.method == "POST" and site_path(self.model) is not None and self._acts(request)  # type: ignore[attr-defined]
        answer: HttpResponseBase = super().changelist_view(request, extra_context)
        return answer

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether rows, or this one, may be looked at."""
        return bool(super().has_view_permission(request, obj)) and self._may(request, obj, "view", "change")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether rows, or this one, may be changed."""
        if not isinstance(obj, Model | None):  # Unfold gives the number of a row
            obj = self.get_object(request, str(obj))
        return bool(super().has_change_permission(request, obj)) and self._may(request, obj, "change")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether rows, or this one, may be deleted."""
        return bool(super().has_delete_permission(request, obj)) and self._may(request, obj, "delete")

    def has_publish_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether rows, or this one, may be published: a right of its own."""
        if not isinstance(obj, Model):  # Unfold gives the number of a row
            obj = self.get_object(request, str(obj)) if obj is not None else None
        if obj is None:
            return bool(request.user.has_perm(self._codename("publish")))
        return self._may(request, obj, "publish")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> type[Any]:
        """Return the form, with the choices that somebody may see, and the sites on which they may save."""
        form: type[Any] = super().get_form(request, obj, change=change, **kwargs)
        needed = self._codename("change" if change else "add")
        return type(form.__name__, (form,), {"__init__": _scoped_init(form, request.user, needed)})

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Return what a new form begins with: the site of the address, by slug or number, or the only one there is."""
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        said = str(initial.pop("site", None) or "")  # a screen of its own may have said the number
        if said:
            one = Q(pk=said) if said.isdecimal() else Q(slug=said)
            if (chosen := within_sites(Site.objects.filter(one), request.user).first()) is not None:
                initial["site"] = chosen.pk
        elif site_path(self.model) == "site" and not self.opts.get_field("site").null:
            sites = within_sites(Site.objects.filter(is_active=True), request.user, self._codename("add"))[:2]
            if len(sites) == 1:
                initial["site"] = sites[0].pk
        return initial

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        """Return the filters; those by something of a site offer what somebody may see."""
        return [self._scoped_filter(one) for one in super().get_list_filter(request)]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save, unless the row has been given to a site on which somebody may not."""
        if site_path(type(obj)) not in (None, "pk") and not self._may(request, obj, "change" if change else "add"):
            raise PermissionDenied
        super().save_model(request, obj, form, change)

    def _acts(self, request: HttpRequest) -> bool:
        return bool(request.POST.get("action")) and "_save" not in request.POST

    def _scoped_filter(self, one: Any) -> Any:
        if not isinstance(one, str):
            return one
        try:
            field = self.model._meta.get_field(one)
        except FieldDoesNotExist:
            return one
        related = getattr(field, "related_model", None)
        return (one, SiteFilter) if isinstance(related, type) and site_path(related) is not None else one

    def _may(self, request: HttpRequest, obj: Any, *actions: str) -> bool:
        if obj is None or site_path(type(obj)) is None:
            return True  # asked of no row, or of what is no site's: Django's own answer stands
        site_id = site_id_of(obj)
        if site_id is None and obj.pk is None:
            return True  # a form that is still empty
        return any(may(request.user, self._codename(action), site_id) for action in actions)

    def _codename(self, action: str) -> str:
        return f"{self.opts.app_label}.{action}_{self.opts.model_name}"


def listed(written: str, *, empty: str) -> str:
    """Return JSON, as Unfold writes it, in words where it is a plain list; anything else stays as it is.

    Parameters
    ----------
    empty : str
        What stands for nothing.
    """
    text = html.unescape(strip_tags(written)).strip()
    if text in ("", "-"):  # Unfold without its colours
        return empty
    try:
        value, _end = json.JSONDecoder().raw_decode(text)
    except ValueError:
        return written
    if value in ([], {}, None, ""):
        return empty
    is_plain = isinstance(value, list) and all(isinstance(one, str | int | float) for one in value)
    return conditional_escape(", ".join(map(str, value))) if is_plain else written


def _scoped_init(form: type[Any], user: Any, permission: str) -> Any:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        form.__init__(self, *args, **kwargs)
        for field in self.fields.values():
            if isinstance(field, forms.ModelChoiceField) and field.queryset is not None:
                needed = permission if field.queryset.model is Site else None
                field.queryset = within_sites(field.queryset, user, needed)

    return __init__
