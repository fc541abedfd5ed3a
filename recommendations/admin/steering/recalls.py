"""Recalls: an item that no list shows from now on, by one button; it holds within two seconds."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin

from recommendations.admin.typed import vocabulary
from recommendations.models import RecalledItem
from tracking.models import Site
from tracking.staff.sites import active_sites, may

RIGHT = "recommendations.add_recalleditem"


@admin.register(RecalledItem)
class RecalledItemAdmin(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """What is recalled on every site; deleting one releases it."""

    list_display = ("item_id", "site", "reason", "author", "at")
    list_filter = ("site",)
    search_fields = ("item_id", "reason")
    search_help_text = gettext_lazy("Item id or reason")
    fields = ("site", "item_id", "reason")
    empty_state = (
        gettext_lazy("Nothing is recalled"),
        gettext_lazy(
            "Recall an item to keep it out of every list, whatever the rules say, within two seconds. "
            "Open an item and choose “Recall everywhere”, or add one here."
        ),
    )

    def get_urls(self) -> list[URLPattern]:
        """Add the button."""
        button = path(
            "recall/",
            self.admin_site.admin_view(lambda request: recall(self, request)),
            name="recommendations_recalleditem_recall",
        )
        urls: list[URLPattern] = [button, *super().get_urls()]
        return urls

    def save_model(self, request: HttpRequest, obj: RecalledItem, form: Any, change: bool) -> None:
        """Save with who recalled it, and tell where the catalogue does not have it."""
        obj.author = request.user.get_username()
        super().save_model(request, obj, form, change)
        if vocabulary(obj.site).item(obj.item_id) is None:
            messages.warning(
                request,
                _("The catalogue has no item %(item_id)s now; correct the id if it is mistyped.")
                % {"item_id": f"{obj.item_id!r}"},
            )


def recall(model_admin: RecalledItemAdmin, request: HttpRequest) -> HttpResponse:
    """Recall ``item_id`` of ``site`` (by number), or release it (``release=1``), and go back to where one came from."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    number, item_id = request.POST.get("site", ""), request.POST.get("item_id", "").strip()[:128]
    site: Site | None = next((each for each in active_sites(request) if str(each.pk) == number), None)
    if site is None or not may(request.user, RIGHT, site.pk):
        raise PermissionDenied
    here = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(here, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        here = reverse("admin:recommendations_recalleditem_changelist")
    if not item_id:
        messages.error(request, _("Name the item to recall, by its id (SKU)."))
        return redirect(here)
    if request.POST.get("release"):
        for row in RecalledItem.objects.filter(site=site, item_id=item_id):
            model_admin.log_change(request, row, _("Released."))
            row.delete()
        messages.success(request, _("%(item_id)s may be listed again within two seconds.") % {"item_id": item_id})
        return redirect(here)
    known = vocabulary(site).item(item_id)
    row, is_new = RecalledItem.objects.get_or_create(
        site=site,
        item_id=known or item_id,
        defaults={"reason": request.POST.get("reason", "")[:300], "author": request.user.get_username()},
    )
    if is_new:
        model_admin.log_addition(request, row, _("Recalled everywhere."))
    if known is None:
        messages.warning(
            request,
            _("The catalogue has no item %(item_id)s now; if it comes, it is not shown.") % {"item_id": f"{item_id!r}"},
        )
    messages.success(
        request,
        _("%(item_id)s is recalled: no list shows it from two seconds on, whatever rules say.")
        % {"item_id": row.item_id},
    )
    return redirect(here)
