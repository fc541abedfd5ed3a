"""What a placement shows to whom: the list without rules and with them, side by side, with the why of each item."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from features.catalogue.items import ItemCard
from features.models import StoredProfile
from recommendations.admin.fields import LinesField, LinesWidget
from recommendations.admin.gate import published_rules
from recommendations.admin.typed import understood
from recommendations.admin.wording import effect_words, filtered_words, source_words
from recommendations.core.deadline import Deadline
from recommendations.core.types import NOBODY, RequestUser
from recommendations.models import Placement, Rule
from recommendations.pipeline.explanation import Explanation, ItemWhy
from recommendations.pipeline.pipeline import recommend
from recommendations.pipeline.query import ListQuery, PlacementSpec
from recommendations.pipeline.rules.base import compile_rule
from recommendations.retrieval.base import ServingContext
from recommendations.serving.outside.proposals import proposed_now
from recommendations.serving.user import close_reader, read_user
from recommendations.state import placements
from recommendations.state.site import SiteServing, watch_site
from tracking.access.identity import Identity
from tracking.admin.screens import get_or_404, screen
from tracking.contract.user_key import anonymous_id_of, key_of_anonymous, user_id_of
from tracking.staff.audit import note_reading
from tracking.staff.sites import may
from tracking.templatetags.written import amount, whole

if TYPE_CHECKING:
    from unfold.admin import ModelAdmin


MAX_TITLES: Final = 5
MAX_FILTERED: Final = 15
MAX_RECENT: Final = 5
SO_FAR: Final = (("views", "views"), ("carts", "add-to-carts"), ("orders", "orders"))


class PreviewForm(forms.Form):
    """Whose list to show: a simulated session's, or a user's by id; an unknown user's when all is empty."""

    session = LinesField(
        label=gettext_lazy("A simulated visit"),
        required=False,
        widget=LinesWidget(kind="items", placeholder=gettext_lazy("Search an item that the shopper looked at …")),
        help_text=gettext_lazy(
            "Items looked at, one item id (SKU) a line, oldest first. Takes precedence over the ids beside it."
        ),
    )
    user_id = forms.CharField(
        label=gettext_lazy("Or a known shopper"),
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("The id by which the shop knows a logged-in shopper, such as u-42."),
    )
    anonymous_id = forms.CharField(
        label=gettext_lazy("Or a visitor"),
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("The anonymous id of a browser: rec.id().anonymous_id in its console."),
    )
    context_item = forms.CharField(
        label=gettext_lazy("Item of the page"),
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("For lists of product pages: the item id (SKU) of the product, such as SKU-1."),
    )
    cart = LinesField(
        label=gettext_lazy("In the cart"),
        required=False,
        widget=LinesWidget(kind="items", placeholder=gettext_lazy("Search an item in the cart …")),
        help_text=gettext_lazy("One item id (SKU) a line."),
    )
    rules = forms.ChoiceField(
        label=gettext_lazy("Rules"),
        choices=(
            ("published", gettext_lazy("as published: what shoppers see")),
            ("draft", gettext_lazy("with drafts: as the forms stand")),
        ),
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
    because: str  # the first reason, in words
    sources: list[tuple[str, int]]  # what else speaks for it, with the item's rank there
    effects: list[tuple[str, str]]  # rule and what it did

    @property
    def tone(self) -> str:
        """Return the part of ``moved`` that colours it."""
        return self.moved.partition(" ")[0]


def preview(model_admin: ModelAdmin, request: HttpRequest, placement_id: int) -> HttpResponse:
    """Show the preview page; it changes nothing and is counted nowhere."""
    placement: Placement = get_or_404(model_admin, request, placement_id)
    form = PreviewForm(request.GET)
    may_read = may(request.user, "tracking.view_personal_data", placement.site_id)
    context: dict[str, Any] = {
        "placement": placement,
        "form": form,
        "recent_shoppers": _recent(placement) if may_read else [],
    }
    if form.is_valid():
        serving = watch_site(placement.site.slug).ensure_loaded()
        for name in ("session", "cart"):
            form.cleaned_data[name] = understood("items", form.cleaned_data[name], placement.site)
        user = user_of(placement.site.slug, form.cleaned_data)
        if user.problem is not None:
            messages.warning(request, _("The feature store is unavailable: the list is that of an unknown shopper."))
        before, _unchanged = _made(placement_before(placement), form.cleaned_data, user, serving)
        after, explanation = _made(
            placement_after(placement, drafts=form.cleaned_data["rules"] == "draft"),
            form.cleaned_data,
            user,
            serving,
        )
        rule_names = dict(Rule.objects.filter(site=placement.site).values_list("pk", "name"))
        listed = {why.item_id for why in after}
        context |= {
            "before": shown(before, serving, before),
            "after": shown(after, serving, before),
            "gone": [each for each in shown(before, serving, before) if each.why.item_id not in listed],
            "is_same": [why.item_id for why in before] == [why.item_id for why in after],
            "explanation": explanation,
            "about": [_title(serving, item_id) for item_id in explanation.about_items[:MAX_TITLES]],
            "filtered": [
                (
                    _title(serving, each.item_id),
                    filtered_words(each.reason),
                    rule_names.get(each.rule_id or 0),
                )
                for each in explanation.filtered[:MAX_FILTERED]
            ],
            "known": _known_of(explanation, serving, placement) if may_read else [],
        }
        person = form.cleaned_data.get("user_id") or form.cleaned_data.get("anonymous_id")
        if person and may_read:
            note_reading(person, site=placement.site, what=_("preview with purchases and views"))
    return screen(
        model_admin,
        request,
        "admin/recommendations/preview.html",
        title=_("Preview of %(placement)s") % {"placement": placement},
        **context,
    )


def placement_before(placement: Placement) -> PlacementSpec:
    """Return the placement without any rule."""
    return placements.placement_spec(placement, [])


def placement_after(placement: Placement, *, drafts: bool) -> PlacementSpec:
    """Return the placement with its rules, as published or as their forms stand."""
    rules = Rule.objects.filter(site=placement.site).prefetch_related("placements").order_by("pk")
    if drafts:
        compiled = placements.by_priority(compile_rule(placements.rule_spec(rule)) for rule in rules)
    else:
        compiled = published_rules(placement.site)
    recalled = placements.load_placements(placement.site.slug).recalled
    return placements.placement_spec(placement, [*recalled, *compiled])


def user_of(site: str, values: dict[str, Any]) -> RequestUser:
    """Return a simulated visit's user, or a known one by id; an unknown one's when all is empty."""
    if values["session"]:
        newest_first = tuple(reversed(values["session"]))
        return RequestUser(
            key=key_of_anonymous("preview"), recents=newest_first, session=newest_first, cart=tuple(values["cart"])
        )
    identity = Identity(user_id=values["user_id"] or None, anonymous_id=values["anonymous_id"] or None)
    if identity.user_id is None and identity.anonymous_id is None:
        return NOBODY

    async def read() -> RequestUser:
        try:
            return await read_user(site, identity, deadline=Deadline.after(10.0 * settings.REDIS_TIMEOUT_MS))
        finally:
            await close_reader()

    return asyncio.run(read())


def _made(
    spec: PlacementSpec, values: dict[str, Any], user: RequestUser, serving: SiteServing
) -> tuple[list[ItemWhy], Explanation]:
    query = ListQuery(
        placement=spec,
        limit=spec.size,
        context_items=(values["context_item"],) if values["context_item"] else (),
        cart=tuple(values["cart"]),
        explains=True,
    )
    result = recommend(query, user, context_for(serving, query, user), deadline=Deadline.after(2_000.0))
    assert result.explanation is not None  # a query that explains gets one
    return result.explanation.items, result.explanation


def context_for(serving: SiteServing, query: ListQuery, user: RequestUser) -> ServingContext:
    """Return what a page of the admin makes a list from, the site's own services among it."""
    context = serving.for_user(user.key, now_ms=int(time.time() * 1000))
    proposed = proposed_now(serving, query, user, Deadline.after(2_000.0))
    return replace(context, own={**context.own, **proposed}) if proposed else context


def shown(items: list[ItemWhy], serving: SiteServing, before: list[ItemWhy]) -> list[Shown]:
    """Return items as the page draws them, each with how far it moved from where it stood before."""
    position_before = {why.item_id: position for position, why in enumerate(before)}
    own, drawn = serving.own_labels, []
    for position, why in enumerate(items):
        old = position_before.get(why.item_id)
        moved = "new" if old is None else ""
        if old is not None and old != position:
            moved = (
                _("up %(position)s") % {"position": old - position}
                if old > position
                else _("down %(position)s") % {"position": position - old}
            )
        sources = sorted(
            ((source_words(each.source, own), each.rank) for each in why.sources), key=lambda pair: pair[1]
        )
        drawn.append(
            Shown(
                why=why,
                card=serving.item_index.catalogue.card(why.item_id),
                moved=moved,
                because=source_words(why.reason, own),
                sources=sources,
                effects=[(effect.name, effect_words(effect)) for effect in why.rules],
            )
        )
    return drawn


def _title(serving: SiteServing, item_id: str) -> str:
    card = serving.item_index.catalogue.card(item_id)
    return card.title if card is not None else item_id


def _recent(placement: Placement) -> list[tuple[str, str]]:
    """Return links to users who were here lately: what to add to the address, and how to call them."""
    stored = StoredProfile.objects.filter(site=placement.site).order_by("-newest_ms")
    links = []
    for key in stored.values_list("user_key", flat=True)[:MAX_RECENT]:
        user_id, anonymous_id = user_id_of(key), anonymous_id_of(key)
        who = {"anonymous_id": anonymous_id} if user_id is None else {"user_id": user_id}
        links.append((urlencode(who), user_id or anonymous_id or key))
    return links


def _spent(currency: str, rfm: Mapping[str, int], apart: Mapping[str, int]) -> str:
    """Return what was spent, and what of it no exchange rate converts, each in its own currency."""
    amounts = [(currency, rfm.get("monetary", 0)), *sorted(apart.items())]
    first, *others = (f"{amount(minor, code)} {code}" for code, minor in amounts)
    return _("%(amount)s, and apart %(others)s") % {"amount": first, "others": ", ".join(others)} if others else first


def _known_of(explanation: Explanation, serving: SiteServing, placement: Placement) -> list[tuple[str, str]]:
    """Return what is known of the user, in words."""
    known = explanation.features
    lines = [(_("Segments"), ", ".join(explanation.segments) or _("none yet"))]
    if not known:
        return lines
    seen = dict.fromkeys(_title(serving, recent["item_id"]) for recent in known["recents"])  # type: ignore[attr-defined]
    titles = list(seen)[:MAX_TITLES]
    counts: Any = known["counts"]
    rfm: Any = known["rfm"]
    lines += [
        (_("Viewed last"), ", ".join(titles) or _("nothing")),
        (_("Searched for"), ", ".join(known["searches"]) or _("nothing")),  # type: ignore[arg-type]
        (_("In the cart"), ", ".join(_title(serving, item_id) for item_id in known["cart"]) or _("nothing")),  # type: ignore[attr-defined]
        (_("Purchases"), ", ".join(_title(serving, item) for item in known["bought"][:MAX_TITLES]) or _("nothing")),  # type: ignore[index]
        (
            _("So far"),
            ", ".join(f"{whole(counts.get(name, 0))} {word}" for name, word in SO_FAR),
        ),
        (_("Spent"), _spent(placement.site.currency, rfm, known.get("apart", {}))),  # type: ignore[arg-type]
    ]
    if explanation.feature_age_ms is not None:
        now = timezone.now()
        lines.append(
            (
                _("Newest event"),
                _("%(timesince)s ago")
                % {"timesince": timesince(now - dt.timedelta(milliseconds=explanation.feature_age_ms), now)},
            )
        )
    return lines
