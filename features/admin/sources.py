"""The page of suspicious sources: who took which share of the counts, and a button that forgets one."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST
from kombu.exceptions import OperationalError
from unfold.admin import ModelAdmin

from features.archive.writer import ArchiveFolder
from features.stream.sources.forgetting import SETTLES_S, quarantine
from features.stream.sources.suspects import ITEM_SHARE, LEAST_EVENTS, SITE_SHARE, find_suspects
from features.tasks import forget_source
from tracking.admin.screens import screen, site_choice
from tracking.models import QuarantinedSource, Site
from tracking.staff.sites import active_sites, may

MOST_TAG = 4_294_967_295
SHOWN = 50


@admin.register(QuarantinedSource)
class QuarantinedSourceAdmin(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """Suspects of a site, and the sources that are quarantined."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Show no form: a source is quarantined by its button."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Show no form: a source is let in again by its button."""
        return False

    def get_urls(self) -> list[URLPattern]:
        """Add what the buttons call."""
        return [
            path(
                "forget/",
                self.admin_site.admin_view(require_POST(self.forget)),
                name="tracking_quarantinedsource_forget",
            ),
            path(
                "<int:pk>/let-in/",
                self.admin_site.admin_view(require_POST(self.let_in)),
                name="tracking_quarantinedsource_let_in",
            ),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the suspects of one site, and what is quarantined."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = site_choice(request)
        site: Site | None = context["site"]
        if site is not None:
            rows = QuarantinedSource.objects.filter(site=site)
            named = {(row.network, row.user_key) for row in rows}
            try:
                suspects = find_suspects(ArchiveFolder(settings.ARCHIVE_URL), site=site.slug)
            except OSError as error:
                context["archive_error"] = str(error)
            else:
                context["suspects"] = suspects
                context["found"] = [one for one in suspects.found if (one.network, one.user_key) not in named]
            context |= {
                "rows": rows[:SHOWN],
                "may_forget": may(request.user, "tracking.add_quarantinedsource", site.pk),
                "may_let_in": may(request.user, "tracking.delete_quarantinedsource", site.pk),
                "least_events": LEAST_EVENTS,
                "site_share": SITE_SHARE,
                "item_share": ITEM_SHARE,
            }
        return screen(self, request, "admin/features/sources.html", title=_("Suspicious sources"), **context)

    def forget(self, request: HttpRequest) -> HttpResponse:
        """Quarantine a source, and let a task worker take back what it counted."""
        site = next((one for one in active_sites(request) if one.slug == request.POST.get("site")), None)
        if site is None:
            raise Http404("there is no such site")
        if not may(request.user, "tracking.add_quarantinedsource", site.pk):
            raise PermissionDenied
        tag, user_key = request.POST.get("network", ""), request.POST.get("user_key", "")[:200]
        network = int(tag) if tag.isascii() and tag.isdigit() and 1 <= int(tag[:12]) <= MOST_TAG else None
        if (network is None) == (not user_key):
            raise Http404("name either a network or a user key")
        row = quarantine(site, network=network, user_key=user_key)
        try:
            forget_source.apply_async((row.pk,), countdown=SETTLES_S, retry=False)
        except OperationalError:
            messages.error(
                request,
                _("It is quarantined, but the task queue does not answer: press the button again when it is back."),
            )
        else:
            messages.success(
                request, _("It is quarantined. What it counted is taken back within a minute, and shown below.")
            )
        return self._back(site)

    def let_in(self, request: HttpRequest, pk: int) -> HttpResponse:
        """End the quarantine of a source."""
        row = QuarantinedSource.objects.filter(pk=pk).select_related("site").first()
        if row is None:
            raise Http404(f"there is no quarantined source {pk}")
        if not may(request.user, "tracking.delete_quarantinedsource", row.site_id):
            raise PermissionDenied
        row.delete()
        messages.success(request, _("What it sends counts again. What was taken back does not come back."))
        return self._back(row.site)

    def _back(self, site: Site) -> HttpResponseRedirect:
        page = reverse("admin:tracking_quarantinedsource_changelist")
        return HttpResponseRedirect(f"{page}?{urlencode({'site': site.slug})}")
