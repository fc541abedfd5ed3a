"""Sources over HTTP: where a service of the shop is declared, how it does, and what it proposes to whom."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

import msgspec
from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminSelectWidget, UnfoldAdminURLInputWidget

from features.feeds.public_address import NotFetched
from recommendations.admin.own.names import placements_with, taken_by
from recommendations.admin.preview import PreviewForm, user_of
from recommendations.admin.typed import understood
from recommendations.models import HttpSource, Placement
from recommendations.pipeline.query import ListQuery
from recommendations.retrieval.outside.breaker import REST_S
from recommendations.retrieval.outside.connection import service_address
from recommendations.retrieval.outside.contract import body_of
from recommendations.serving.outside.proposals import ask_alone, wanted_of
from recommendations.serving.outside.report import said_of
from recommendations.state import placements
from recommendations.state.own_sources import spec_of
from recommendations.state.site import SiteServing, watch_site
from tracking.admin.decorators import action, display
from tracking.admin.screens import get_or_404, screen
from tracking.staff.audit import note_reading
from tracking.staff.sites import may

MAX_SHOWN: Final = 20


class HttpSourceForm(forms.ModelForm):  # type: ignore[type-arg]  # only typed stubs are generic
    """A service; its address is looked at when it is written, and its secret is written and never shown."""

    url = forms.URLField(
        label=gettext_lazy("Address"),
        max_length=2_000,
        assume_scheme="https",
        widget=UnfoldAdminURLInputWidget,
        help_text=HttpSource._meta.get_field("url").help_text,
    )
    secret = forms.CharField(
        label=gettext_lazy("Secret"),
        required=False,
        max_length=128,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}, render_value=False),
        help_text=gettext_lazy(
            "Signs what is sent, in the header Recsite-Signature: the service computes the same and compares. Left "
            "empty, it stays as it is; it is never shown again."
        ),
    )

    class Meta:
        model = HttpSource
        fields = ("site", "name", "label", "is_active", "url", "secret", "answer", "budget_ms", "sends_ids", "weight")

    def clean_url(self) -> str:
        """Refuse an address to which nothing would ever be sent."""
        url: str = self.cleaned_data["url"]
        try:
            service_address(url)
        except NotFetched as error:
            raise forms.ValidationError(f"{error}.") from error
        return url

    def clean_secret(self) -> str:
        """Return the new secret, or the stored one."""
        secret: str = self.cleaned_data["secret"] or self.instance.secret
        return secret

    def clean(self) -> dict[str, Any]:
        """Refuse a name that means something already."""
        cleaned: dict[str, Any] = super().clean() or {}
        if (problem := taken_by(self.instance, cleaned)) is not None:
            self.add_error("name", problem)
        return cleaned


class TryForm(PreviewForm):
    """For whom the service is asked, and for which placement."""

    rules = None  # type: ignore[assignment]  # the list of a source knows no rules

    def __init__(self, placements_of_site: list[str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["placement"] = forms.ChoiceField(
            label=gettext_lazy("Placement"),
            choices=[(name, name) for name in placements_of_site],
            required=False,
            widget=UnfoldAdminSelectWidget,
        )


@admin.register(HttpSource)
class HttpSourceAdmin(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """Services of all sites."""

    form = HttpSourceForm
    change_form_before_template = "admin/recommendations/own/states.html"
    list_display = ("name", "site", "url", "budget_ms", "state", "is_active")
    list_filter = ("site", "is_active")
    list_select_related = ("site",)
    search_fields = ("name", "label", "url")
    search_help_text = gettext_lazy("Name or address")
    actions_detail = ("show_try",)
    empty_state = (
        gettext_lazy("No source over HTTP yet"),
        gettext_lazy(
            "A service of the shop that proposes items, such as a stylist's picks or a team's own model: its address "
            "is declared here, placements name it under “Sources”."
        ),
    )
    fieldsets = (
        (None, {"fields": ("site", "name", "label", "is_active")}),
        (gettext_lazy("How it is asked"), {"fields": ("url", "secret", "answer", "budget_ms", "sends_ids")}),
        (gettext_lazy("Beside other sources"), {"fields": ("weight",)}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: HttpSource | None = None) -> tuple[str, ...]:
        """Keep the name once placements may use it."""
        return ("site", "name") if obj is not None else ()

    @display(
        description=gettext_lazy("State"),
        label={"closed": "success", "failing": "warning", "tried": "warning", "open": "danger", "unused": "info"},
    )
    def state(self, source: HttpSource) -> tuple[str, str]:
        """Return how it does, by the process that it does worst for."""
        worst = worst_of(said_of(source.site.slug, source.name, now_s=int(time.time())) or [])
        return (worst.state, worst.words) if worst is not None else ("unused", _("not asked lately"))

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Return the form with how the service does."""
        source = self.get_object(request, object_id) if object_id is not None else None
        said = None if source is None else said_of(source.site.slug, source.name, now_s=int(time.time()))
        used = [] if source is None else placements_with(source.site_id, source.name)
        own = {"said": said, "rest_s": f"{REST_S:g}", "used_by": used}
        answer: HttpResponse = super().changeform_view(request, object_id, form_url, {**(extra_context or {}), **own})
        return answer

    @action(description=gettext_lazy("Try it"), url_path="show-try", icon="play_arrow")
    def show_try(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Go to the page that asks it."""
        return redirect(reverse("admin:recommendations_httpsource_try", args=[object_id]))

    def get_urls(self) -> list[URLPattern]:
        """Add the page that asks it."""
        own = path(
            "<int:source_id>/try/",
            self.admin_site.admin_view(lambda request, source_id: try_it(self, request, source_id)),
            name="recommendations_httpsource_try",
        )
        urls: list[URLPattern] = [own, *super().get_urls()]
        return urls


def try_it(model_admin: HttpSourceAdmin, request: HttpRequest, source_id: int) -> HttpResponse:
    """Ask a service for the list of one user, and show what was sent, what came, and how long it took.

    A POST asks: a link, a picture or a page that looks ahead must send nothing to anybody.
    """
    source: HttpSource = get_or_404(model_admin, request, source_id)
    names = list(Placement.objects.filter(site=source.site).order_by("name").values_list("name", flat=True))
    is_asked = request.method == "POST"
    form = TryForm(names, request.POST if is_asked else None)
    context: dict[str, Any] = {"source": source, "form": form}
    if is_asked and form.is_valid():
        serving = watch_site(source.site.slug).ensure_loaded()
        context |= _asked(source, form.cleaned_data, serving)
        person = form.cleaned_data["user_id"] or form.cleaned_data["anonymous_id"]
        if person:
            if not may(request.user, "tracking.view_personal_data", source.site_id):
                context.pop("sent", None)
            note_reading(person, site=source.site, what=_("a source over HTTP was asked for a list"))
    return screen(
        model_admin,
        request,
        "admin/recommendations/own/try.html",
        title=_("Try %(source)s") % {"source": source},
        **context,
    )


def _asked(source: HttpSource, values: dict[str, Any], serving: SiteServing) -> dict[str, Any]:
    """Return what the page shows of one request."""
    try:
        spec = spec_of(source, source.site.slug)
    except (NotFetched, ValueError) as error:
        return {"problem": str(error)}
    for name in ("session", "cart"):
        values[name] = understood("items", values[name], source.site)
    user = user_of(source.site.slug, values)
    placement = Placement.objects.filter(site=source.site, name=values["placement"]).first()
    query = ListQuery(
        placement=placements.placement_spec(placement or Placement(name="preview"), []),
        limit=MAX_SHOWN,
        context_items=(values["context_item"],) if values["context_item"] else (),
        cart=tuple(values["cart"]),
    )
    sent = body_of(spec, [wanted_of(query, user)])
    began = time.perf_counter()
    answer, breaker = asyncio.run(ask_alone(spec, query, user, serving))
    catalogue = serving.item_index.catalogue
    rows = answer.ranked.rows.tolist()[:MAX_SHOWN]
    scores = answer.ranked.scores.tolist()[:MAX_SHOWN]
    return {
        "sent": msgspec.json.format(sent, indent=2).decode(),
        "took_ms": (time.perf_counter() - began) * 1e3,
        "problem": breaker.last_error,
        "n_items": len(answer.ranked),
        "items": [(catalogue.cards[row], score) for row, score in zip(rows, scores, strict=True)],
    }


def worst_of(said: list[Any]) -> Any | None:
    """Return what the process says for which a service does worst."""
    order = ("open", "tried", "failing", "closed", "unused")
    return min(said, key=lambda each: order.index(each.state), default=None)
