"""What a placement shows to whom: the list without rules and with them, side by side, with the why of each item."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from features.catalogue import ItemCard
from recommendations import placements
from recommendations.admin.fields import LinesField
from recommendations.asks import Ask, PlacementSpec
from recommendations.candidates import NOBODY, FallbackReason, Shopper
from recommendations.deadline import Deadline
from recommendations.explain import Explanation, ItemWhy, Trace
from recommendations.models import Placement, Rule
from recommendations.pipeline import recommend
from recommendations.rules import compile_rule
from recommendations.serving_site import SiteServing, watch_site
from recommendations.shoppers import close_reader, read_shopper
from tracking.admin.screens import get_or_404, screen
from tracking.identity import Identity

if TYPE_CHECKING:
    from unfold.admin import ModelAdmin


class PreviewForm(forms.Form):
    """Whose list to show: a shopper's by id, or a made-up session's."""

    user_id = forms.CharField(label="User id", required=False, widget=UnfoldAdminTextInputWidget)
    anonymous_id = forms.CharField(label="or anonymous id", required=False, widget=UnfoldAdminTextInputWidget)
    session = LinesField(
        label="or a made-up session", required=False, help_text="Ids of items looked at, one a line, oldest first."
    )
    context_item = forms.CharField(label="Item of the page", required=False, widget=UnfoldAdminTextInputWidget)
    cart = LinesField(label="Cart", required=False, help_text="Ids of items, one a line.")
    rules = forms.ChoiceField(
        label="Rules",
        choices=(("published", "as published"), ("draft", "drafts included")),
        required=False,
        initial="published",
        widget=UnfoldAdminSelectWidget,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One item of a list, as the page draws it."""

    why: ItemWhy
    card: ItemCard | None
    moved: str  # "new", "up 2", "down 1" or ""


def preview(model_admin: ModelAdmin, request: HttpRequest, placement_id: int) -> HttpResponse:
    """Show the preview page; it changes nothing and is counted nowhere."""
    placement: Placement = get_or_404(model_admin, request, placement_id)
    form = PreviewForm(request.GET or None)
    context: dict[str, Any] = {"placement": placement, "form": form}
    if form.is_bound and form.is_valid():
        serving = watch_site(placement.site.slug).ensure_loaded()
        shopper, problem = _shopper(placement.site.slug, form.cleaned_data)
        if problem is not None:
            messages.warning(request, "The feature store did not answer: the list is that of an unknown shopper.")
        before, _ = _made(placement_before(placement), form.cleaned_data, shopper, serving)
        after, explanation = _made(
            placement_after(placement, drafts=form.cleaned_data["rules"] == "draft"),
            form.cleaned_data,
            shopper,
            serving,
        )
        context |= {
            "before": _shown(before, serving, before),
            "after": _shown(after, serving, before),
            "explanation": explanation,
            "features": sorted(explanation.features.items()),
        }
    return screen(
        model_admin, request, "admin/recommendations/preview.html", title=f"Preview of {placement}", **context
    )


def placement_before(placement: Placement) -> PlacementSpec:
    """Return the placement without any rule."""
    return placements.placement_spec(placement, [])


def placement_after(placement: Placement, *, drafts: bool) -> PlacementSpec:
    """Return the placement with its rules, as published or as their forms stand."""
    rules = Rule.objects.filter(site=placement.site).prefetch_related("placements").order_by("pk")
    if drafts:
        compiled = sorted(
            (compile_rule(placements.rule_spec(rule)) for rule in rules),
            key=lambda rule: (-rule.spec.priority, rule.spec.rule_id),
        )
    else:
        compiled = placements.compiled_rules([rule.published for rule in rules if rule.published is not None])
    return placements.placement_spec(placement, compiled)


def _shopper(site: str, values: dict[str, Any]) -> tuple[Shopper, FallbackReason | None]:
    if values["session"]:
        newest_first = tuple(reversed(values["session"]))
        return Shopper(key="a:preview", recents=newest_first, session=newest_first, cart=tuple(values["cart"])), None
    identity = Identity(user_id=values["user_id"] or None, anonymous_id=values["anonymous_id"] or None)
    if identity.user_id is None and identity.anonymous_id is None:
        return NOBODY, None

    async def read() -> Any:
        try:
            return await read_shopper(site, identity, deadline=Deadline.after(10.0 * settings.REDIS_TIMEOUT_MS))
        finally:
            await close_reader()

    reading = asyncio.run(read())
    return reading.shopper, reading.problem


def _made(
    spec: PlacementSpec, values: dict[str, Any], shopper: Shopper, serving: SiteServing
) -> tuple[list[ItemWhy], Explanation]:
    trace = Trace()
    recommend(
        Ask(
            placement=replace(spec),
            limit=spec.size,
            context_items=(values["context_item"],) if values["context_item"] else (),
            cart=tuple(values["cart"]),
        ),
        shopper,
        serving.for_shopper(shopper.key, now_ms=int(time.time() * 1000)),
        deadline=Deadline.after(2_000.0),
        trace=trace,
    )
    assert trace.explanation is not None  # a given trace is always filled
    return trace.explanation.items, trace.explanation


def _shown(items: list[ItemWhy], serving: SiteServing, before: list[ItemWhy]) -> list[Shown]:
    place_before = {why.item_id: place for place, why in enumerate(before)}
    shown = []
    for place, why in enumerate(items):
        old = place_before.get(why.item_id)
        moved = "new" if old is None else ""
        if old is not None and old != place:
            moved = f"up {old - place}" if old > place else f"down {place - old}"
        shown.append(Shown(why=why, card=serving.shelf.catalogue.card(why.item_id), moved=moved))
    return shown
