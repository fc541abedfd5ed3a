"""The page of items that may be one and the same, with their pictures and what to do about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from features.catalogue.duplicates import MOST_READ, find_duplicates
from tracking.admin.screens import screen, site_choice

if TYPE_CHECKING:
    from unfold.admin import ModelAdmin


def duplicates(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """Show the duplicates of one site."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    context = site_choice(request)
    if context["site"] is not None:
        context |= {"found": find_duplicates(context["site"]), "most_read": MOST_READ}
    return screen(model_admin, request, "admin/features/duplicates.html", title=_("Duplicates"), **context)
