"""Sites: their origins and quotas, what to put into the shop's pages, and what arrives from there right now."""

from __future__ import annotations

from typing import Any, Final
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe
from msgspec import to_builtins
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminURLInputWidget

from tracking.admin.decorators import action, display
from tracking.admin.screens import get_or_404, screen
from tracking.collect import live_events
from tracking.error_codes import ErrorCode
from tracking.models import Site, new_token_secret
from tracking.redis_client import UNAVAILABLE
from tracking.sdk.embedding import STUB, NothingToEmbed, publishable_key, script_tag

SNIPPETS: Final = ("track", "widget", "token")
"""Texts to copy, in ``templates/admin/tracking/snippets/``."""


class LinesField(forms.CharField):
    """A list of texts, edited as one a line."""

    widget = UnfoldAdminTextareaWidget

    def prepare_value(self, value: Any) -> Any:
        """Return the list as lines."""
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        """Return the lines that are not empty, without a slash at the end."""
        lines = value if isinstance(value, list) else str(value or "").splitlines()
        return [line.strip().rstrip("/").lower() for line in lines if line.strip()]


class SiteForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for type checkers only
    """A site as merchandisers edit it."""

    origins = LinesField(
        label=gettext_lazy("Origins"),
        required=False,
        help_text=gettext_lazy(
            "Pages that may use the publishable keys, one a line, such as https://www.shop.example or "
            "https://*.shop.example. Empty: every page, for trying out only."
        ),
    )

    url = forms.URLField(
        label=gettext_lazy("Url"),
        required=False,
        assume_scheme="https",
        widget=UnfoldAdminURLInputWidget,
        help_text=gettext_lazy("Address of the shop's home page."),
    )

    time_zone = forms.ChoiceField(
        label=gettext_lazy("Time zone"),
        choices=[(name, name.replace("_", " ")) for name in sorted(available_timezones())],
        widget=UnfoldAdminSelectWidget,
        initial="UTC",
        help_text=gettext_lazy("In which the schedules of rules are shown and entered."),
    )

    class Meta:
        model = Site
        fields = (
            "name", "slug", "url", "is_active", "origins", "honours_gpc", "currency", "locale", "time_zone",
            "events_per_minute", "requests_per_minute", "address_requests_per_minute",
        )  # fmt: skip


@admin.register(Site)
class SiteAdmin(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """Sites, with the pages "Embed" and "Live events"."""

    form = SiteForm
    list_display = ("name", "slug", "url", "shows_events", "is_active")
    list_filter = ("is_active",)
    search_fields = ("name", "slug", "url")
    actions_detail = ("open_embed", "open_live")
    fieldsets = (
        (None, {"fields": ("name", "slug", "url", "is_active", "currency", "locale", "time_zone")}),
        (gettext_lazy("Who may send"), {"fields": ("origins", "honours_gpc")}),
        (
            gettext_lazy("Quotas"),
            {"fields": ("events_per_minute", "requests_per_minute", "address_requests_per_minute")},
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Site | None = None) -> tuple[str, ...]:
        """Return the slug once it stands: it is in every key on Redis and in every file path."""
        return ("slug",) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Site | None = None) -> bool:
        """Refuse: events, models and files carry the site; make it inactive instead."""
        return False

    @display(description=gettext_lazy("events"), label={"arriving": "success", "none yet": "warning"})
    def shows_events(self, site: Site) -> str:
        """Return whether a first event was ever seen."""
        return _("arriving") if site.first_event_at else _("none yet")

    @action(description=gettext_lazy("Embed"), icon="code", url_path="open-embed")
    def open_embed(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Go to the page with the snippets."""
        return HttpResponseRedirect(reverse("admin:tracking_site_embed", args=[object_id]))

    @action(description=gettext_lazy("Live events"), icon="bolt", url_path="open-live")
    def open_live(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Go to the debugger."""
        return HttpResponseRedirect(reverse("admin:tracking_site_live", args=[object_id]))

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        """Return the addresses of our own pages."""
        return (
            ("<int:site_id>/embed/", "tracking_site_embed", embed),
            ("<int:site_id>/embed/seen/", "tracking_site_seen", seen),
            ("<int:site_id>/embed/new-secret/", "tracking_site_new_secret", new_secret),
            ("<int:site_id>/live/", "tracking_site_live", live),
            ("<int:site_id>/live/events/", "tracking_site_live_events", newest_events),
        )


@require_safe
def embed(request: HttpRequest, model_admin: SiteAdmin, site_id: int) -> HttpResponse:
    """Show what to put into the shop's pages."""
    site = get_or_404(model_admin, request, site_id)
    host = request.build_absolute_uri("/").rstrip("/")
    context: dict[str, Any] = {"site": site, "host": host, "missing": ""}
    for name in SNIPPETS:
        text = render_to_string(f"admin/tracking/snippets/{name}.txt", {"site": site})
        context[f"{name}_snippet"] = str(text).strip()
    try:
        context["key"] = publishable_key(site)
        context["tag"] = f"{STUB}\n{script_tag(site, host=host)}"
        context["pinned_tag"] = f"{STUB}\n{script_tag(site, host=host, is_pinned=True)}"
    except NothingToEmbed as error:
        context["missing"] = str(error)
    context["shows_secret"] = model_admin.has_change_permission(request, site)
    return screen(
        model_admin, request, "admin/tracking/embed.html", title=_("Embed %(site)s") % {"site": site.name}, **context
    )


@require_safe
def seen(request: HttpRequest, model_admin: SiteAdmin, site_id: int) -> HttpResponse:
    """Answer whether an event of the site was ever seen; remembers the first one."""
    site = get_or_404(model_admin, request, site_id)
    newest = None
    try:
        newest = next((one for one in live_events.read(settings.REDIS_URL, site.slug) if not one.error), None)
    except UNAVAILABLE:
        if site.first_event_at is None:
            return JsonResponse({"state": "unknown"})
    if newest is not None and site.first_event_at is None:
        site.first_event_at = timezone.now()
        Site.objects.filter(pk=site.pk, first_event_at=None).update(first_event_at=site.first_event_at)
    if site.first_event_at is None:
        return JsonResponse({"state": "waiting"})
    answer: dict[str, Any] = {"state": "seen", "first_event_at": site.first_event_at.isoformat()}
    if newest is not None:
        answer["newest"] = {"name": newest.name, "received_at_ms": newest.received_at_ms}
    return JsonResponse(answer)


@require_POST
def new_secret(request: HttpRequest, model_admin: SiteAdmin, site_id: int) -> HttpResponse:
    """Make a new token secret; tokens signed with the old one are refused within five seconds."""
    site = get_or_404(model_admin, request, site_id, change=True)
    site.token_secret = new_token_secret()
    site.save(update_fields=["token_secret"])
    model_admin.log_change(request, site, _("Made a new token secret."))
    messages.success(request, _("The new secret signs tokens from now on; put it on the shop's server."))
    return HttpResponseRedirect(reverse("admin:tracking_site_embed", args=[site_id]))


@require_safe
def live(request: HttpRequest, model_admin: SiteAdmin, site_id: int) -> HttpResponse:
    """Show the last events as they arrive."""
    site = get_or_404(model_admin, request, site_id)
    return screen(
        model_admin,
        request,
        "admin/tracking/live.html",
        title=_("Live events of %(site)s") % {"site": site.name},
        site=site,
    )


@require_safe
def newest_events(request: HttpRequest, model_admin: SiteAdmin, site_id: int) -> HttpResponse:
    """Answer the last events as JSON, newest first."""
    site = get_or_404(model_admin, request, site_id)
    try:
        events = live_events.read(settings.REDIS_URL, site.slug)
    except UNAVAILABLE:
        return JsonResponse(
            {
                "error": ErrorCode.UNAVAILABLE,
                "message": _("Redis does not answer; events are still collected"),
                "field": "",
            },
            status=503,
        )
    return JsonResponse({"events": to_builtins(events)})
