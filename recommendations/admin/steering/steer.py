"""The page on which a list is steered by hand; what is saved there is a rule like any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import msgspec
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from features.catalogue.items import ItemCard
from recommendations.admin import gate
from recommendations.admin.rule_check import UNNAMED, RuleCheck, check_rule
from recommendations.admin.rule_form import PUBLISH
from recommendations.admin.steering import moves
from recommendations.admin.steering.beside import Beside, beside
from recommendations.admin.steering.desk import Desk, blank, moved, name_of, title_of
from recommendations.admin.suggest import offered_items
from recommendations.admin.typed import vocabulary
from recommendations.admin.wording import rule_words
from recommendations.core.actions import PinOrder, RuleAction
from recommendations.exceptions import InvalidQuery
from recommendations.models import Placement, Rule
from recommendations.pipeline.rules.base import PART_FIELDS, RulePart
from recommendations.state import placements
from recommendations.state.site import watch_site
from tracking.admin.screens import get_or_404, screen
from tracking.models import Site
from tracking.staff.sites import may

if TYPE_CHECKING:
    from unfold.admin import ModelAdmin

TEMPLATE: Final = "admin/recommendations/steer/steer.html"
PART: Final = "admin/recommendations/steer/part.html"
ONLY_PART: Final = "HTTP_X_STEER"
"""The header by which the page's script asks for the part that moves change."""

NEW: Final = "new"
NOBODY: Final = "-"
"""In the place of a segment: somebody of whom nothing is known."""

KEPT_AS_STORED: Final = (
    "priority", "shoppers", "context_condition", "campaign", "devices", "locales", "countries", "campaigns",
    "queries", "pages",
)  # fmt: skip
"""Fields of a rule that the page does not show and does not change."""

MAX_ATTRIBUTES: Final = 20
MAX_OFFERED: Final = 8
"""Rules that the page offers to go on with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One card of the list.

    Attributes
    ----------
    is_pinned : bool
        By this rule, as an item of its own.
    others : sequence of (str, str)
        Other rules with what they do to it; this one where it pins what matches.
    """

    item_id: str
    title: str
    card: ItemCard | None
    rank: int
    is_pinned: bool
    moved: str
    others: Sequence[tuple[str, str]]

    @property
    def tone(self) -> str:
        """Return the part of ``moved`` that colours it."""
        return self.moved.partition(" ")[0]


def steer(model_admin: ModelAdmin, request: HttpRequest, placement_id: int) -> HttpResponse:
    """Show the page, or its part after a move; save the rule where that is asked."""
    placement: Placement = get_or_404(model_admin, request, placement_id)
    asked: Mapping[str, Any] = request.POST if request.method == "POST" else request.GET
    rule = _chosen(steerable(placement), asked.get("rule"))
    if request.method != "POST":
        steered = moves.steered_by(placements.rule_spec(rule)) if rule is not None else moves.Steered()
        return _page(model_admin, request, Desk(placement=placement, rule=rule, steered=steered))
    try:
        steered = moves.decoded(str(asked.get("steered", "")))
        moves.parts_of_steered(steered)  # or it says that they are too many
    except InvalidQuery as error:
        desk = Desk(placement=placement, rule=rule, steered=moves.Steered(), problem=error.reason)
        return _page(model_admin, request, desk)
    desk = Desk(placement=placement, rule=rule, steered=steered, past=moves.past_of(str(asked.get("past", ""))))
    if asked.get("do") not in ("save", "publish"):
        return _page(model_admin, request, moved(desk, str(asked.get("do", "")), asked))
    return _saved(model_admin, request, desk)


def steerable(placement: Placement) -> QuerySet[Rule]:
    """Return the rules that are for this placement alone, the last changed first."""
    others = Placement.objects.filter(site=placement.site_id).exclude(pk=placement.pk)
    rows = Rule.objects.filter(site=placement.site_id, placements=placement).exclude(placements__in=others)
    return rows.order_by("-updated_at")


def _chosen(rules: QuerySet[Rule], said: Any) -> Rule | None:
    """Return the rule that was asked for; else the last changed one that steers everybody's list."""
    if said == NEW:
        return None
    if said:
        return rules.filter(pk=said).first() if str(said).isdecimal() else None
    by_hand = rules.filter(action__in=(RuleAction.PIN, RuleAction.EXCLUDE))[:MAX_OFFERED]
    return next((rule for rule in by_hand if not is_narrow(rule)), None)


def is_narrow(rule: Rule) -> bool:
    """Return whether a rule is for some users, pages or times alone."""
    narrow = (
        rule.segments, rule.devices, rule.locales, rule.countries, rule.campaigns, rule.queries, rule.pages,
        rule.context_condition, rule.starts_at, rule.ends_at,
    )  # fmt: skip
    return any(narrow) or rule.shoppers != Rule.Shoppers.ALL


def _needed(desk: Desk) -> str:
    return "add_rule" if desk.rule is None else "change_rule"


# --- saving ------------------------------------------------------------------------------------------------


def _form(model_admin: Any, request: HttpRequest, desk: Desk) -> Any:
    """Return the form of the rule, filled with what was steered and typed; its own checks are those of a rule."""
    rule_admin = model_admin.admin_site.get_model_admin(Rule)
    data = QueryDict(mutable=True)
    sent: Any = request.POST
    for name in ("name", "segments", "starts_at_0", "starts_at_1", "ends_at_0", "ends_at_1", "opened_revision",
                 "confirms", "preview_page_item"):  # fmt: skip
        data.setlist(name, sent.getlist(name))
    data["site"], data["placements"] = str(desk.placement.site_id), str(desk.placement.pk)
    data["preview_placement"] = desk.placement.name
    data["preview_segment"] = _seen_as(sent, sent.getlist("segments"))
    parts = moves.parts_of_steered(desk.steered)
    for name in PART_FIELDS if parts else ():
        data.setlist(name, _typed(getattr(parts[0], name), is_lines=name != "same"))
    for number, part in enumerate(parts[1:]):
        for name in PART_FIELDS:
            data.setlist(f"also-{number}-{name}", _typed(getattr(part, name)))
    if sent.get("do") == "publish":
        data[PUBLISH] = "1"
    form = _form_class(rule_admin, request, desk)(data, instance=desk.rule)
    for name in KEPT_AS_STORED:
        form.fields.pop(name, None)
    return form


def _form_class(rule_admin: Any, request: HttpRequest, desk: Desk) -> Any:
    """Return the form of the rule: of those who may not save it the whole form, too, by which they try and look.

    The admin's own would be without fields for them; site and placement are those of the page, which they may see.
    """
    if may(request.user, f"recommendations.{_needed(desk)}", desk.placement.site_id):
        return rule_admin.get_form(request, desk.rule, change=desk.rule is not None)
    return rule_admin.form


def _typed(value: Any, *, is_lines: bool = True) -> list[str]:
    if isinstance(value, tuple):
        return ["\n".join(value)] if is_lines else list(value)
    return [] if value is None else [f"{value:g}" if isinstance(value, float) else str(value)]


def _saved(model_admin: Any, request: HttpRequest, desk: Desk) -> HttpResponse:
    """Save the rule as its own form would, and publish it where that is asked; else show what is wrong with it."""
    is_publishing = request.POST.get("do") == "publish"
    needed = [_needed(desk), *(["publish_rule"] if is_publishing else [])]
    if not all(may(request.user, f"recommendations.{name}", desk.placement.site_id) for name in needed):
        raise PermissionDenied
    if desk.steered.is_empty:
        return _page(model_admin, request, replace(desk, problem=_("Nothing is steered yet: pin an item first.")))
    rule_admin = model_admin.admin_site.get_model_admin(Rule)
    with transaction.atomic():
        form = _form(model_admin, request, desk)
        if not form.is_valid():
            return _page(model_admin, request, desk, form=form)
        rule = rule_admin.save_form(request, form, change=desk.rule is not None)
        if is_publishing:
            rule.after_saving = placements.publish
        rule_admin.save_model(request, rule, form, desk.rule is not None)
        rule_admin.save_related(request, form, [], desk.rule is not None)
        if desk.rule is None:
            rule_admin.log_addition(request, rule, _("Steered by hand."))
        else:
            rule_admin.log_change(request, rule, _("Steered by hand."))
        if not is_publishing:
            model_admin.message_user(
                request, _("“%(rule)s” is saved as a draft: shoppers see it once it is published.") % {"rule": rule}
            )
    return redirect(f"{reverse('admin:recommendations_placement_steer', args=[desk.placement.pk])}?rule={rule.pk}")


# --- the page ----------------------------------------------------------------------------------------------


def _page(model_admin: Any, request: HttpRequest, desk: Desk, *, form: Any = None) -> HttpResponse:
    """Return the whole page, or the part that moves change."""
    rule_admin = model_admin.admin_site.get_model_admin(Rule)
    check: RuleCheck | None = None
    if request.method == "POST" and not desk.steered.is_empty:
        checked = form
        if checked is None:
            checked = _form(model_admin, request, desk)
            checked.is_checked_only = True
            checked.full_clean()
        check = checked.check
    elif desk.spec is not None:
        check = _check(desk)
    asked = request.POST if request.method == "POST" else {}
    shown = check.beside if check is not None else None
    if shown is None:
        seen_as = _seen_as(asked, [])
        shown = beside(desk.site, None, {
            "preview_placement": desk.placement.name, "preview_segment": seen_as,
            "preview_page_item": asked.get("preview_page_item", ""),
        })  # fmt: skip
    context = {
        "placement": desk.placement, "rule": desk.rule, "check": check, "shown": shown, "desk": desk,
        "tiles": _tiles(desk, shown) if shown is not None else [],
        "state": moves.encoded(desk.steered), "past": moves.encoded(desk.past),
        "ranks": range(1, desk.placement.size + 1), "hidden_pins": _hidden_pins(desk, shown), "sets": _sets(desk),
        "excluded": _cards(desk.site, desk.steered.excluded),
        "kept": [_words(desk.placement, part) for part in desk.steered.kept],
        "q": str(asked.get("q", ""))[:100], "found": _found(desk, str(asked.get("q", ""))),
        "confirmed": str(asked.get("confirms", "")), "errors": _errors(form), "typed": asked,
        "kinds": _kinds(desk.site), "orders": PinOrder.choices(),
        "opened_revision": form.data.get("opened_revision") if form is not None else asked.get(
            "opened_revision", desk.rule.revision if desk.rule is not None else ""
        ),
        "may_save": may(request.user, f"recommendations.{_needed(desk)}", desk.placement.site_id),
        "may_publish": may(request.user, "recommendations.publish_rule", desk.placement.site_id),
    }  # fmt: skip
    if ONLY_PART in request.META:
        return render(request, PART, context)
    settings = form if form is not None else _form_class(rule_admin, request, desk)(
        **({"data": _form(model_admin, request, desk).data} if request.method == "POST" else {}), instance=desk.rule
    )  # fmt: skip
    if desk.rule is None and not settings.is_bound:
        settings.initial["name"] = name_of(desk.placement)
    return screen(
        model_admin, request, TEMPLATE, title=_("Steer %(placement)s") % {"placement": desk.placement},
        rules=steerable(desk.placement)[:MAX_OFFERED],
        settings=settings, segments=gate.known_segments(), media=settings.fields["starts_at"].widget.media, **context,
    )  # fmt: skip


def _check(desk: Desk) -> RuleCheck:
    """Return what the rule does as it is stored."""
    spec = desk.spec
    assert spec is not None  # its only caller looks
    asked = {"preview_placement": desk.placement.name, "preview_segment": next(iter(spec.segments), "")}
    try:
        return replace(
            check_rule(desk.site, msgspec.structs.replace(spec, name=spec.name or UNNAMED)),
            beside=beside(desk.site, spec, asked),
        )
    except (InvalidQuery, msgspec.ValidationError) as error:  # stored by other means than a form
        return RuleCheck(mistakes=[("", str(error))])


def _seen_as(asked: Mapping[str, Any], segments: Sequence[str]) -> str:
    """Return the segment of whom the list is shown for: if none is chosen, the first that the rule is for."""
    said = str(asked.get("preview_segment", ""))
    if said == NOBODY:
        return ""
    return said or next(iter(segments), "")


def _tiles(desk: Desk, shown: Beside) -> list[Tile]:
    number = desk.rule.pk if desk.rule is not None else gate.NEWEST
    return [
        Tile(
            item_id=one.why.item_id, title=one.why.title or one.why.item_id, card=one.card, rank=rank,
            is_pinned=one.why.item_id in desk.steered.items, moved=one.moved,
            others=[
                (name, words)
                for (name, words), effect in zip(one.effects, one.why.rules, strict=True)
                if effect.rule_id != number or one.why.item_id not in desk.steered.items
            ],
        )
        for rank, one in enumerate(shown.after, start=1)
    ]  # fmt: skip


def _hidden_pins(desk: Desk, shown: Beside | None) -> list[tuple[str, str, int]]:
    """Return the pinned items that the list does not show: id, title, rank."""
    listed = {one.why.item_id for one in shown.after} if shown is not None else set()
    return [
        (item_id, title_of(desk.site, item_id), rank)
        for item_id, rank in sorted(desk.steered.items.items(), key=lambda pair: pair[1])
        if item_id not in listed
    ]


def _sets(desk: Desk) -> list[str]:
    return [_words(desk.placement, part) for part in desk.steered.sets]


def _words(placement: Placement, part: RulePart) -> str:
    fields = {name: getattr(part, name) for name in PART_FIELDS}
    return rule_words(msgspec.structs.replace(blank(placement), **fields, placements=()))


def _found(desk: Desk, term: str) -> list[tuple[str, str, ItemCard | None]]:
    """Return what a search finds: id, title, and the card of what can be shown."""
    term = term.replace("\x00", "").strip()[:100]
    if not term:
        return []
    catalogue = watch_site(desk.site.slug).ensure_loaded().item_index.catalogue
    return [(item.item_id, item.title or item.item_id, catalogue.card(item.item_id))
            for item in offered_items(desk.site, term)]  # fmt: skip


def _cards(site: Site, item_ids: Sequence[str]) -> list[tuple[str, str, ItemCard | None]]:
    catalogue = watch_site(site.slug).ensure_loaded().item_index.catalogue
    return [(item_id, title_of(site, item_id), catalogue.card(item_id)) for item_id in item_ids]


def _kinds(site: Site) -> list[tuple[str, str]]:
    """Return by what the small form can pin: what every shop has, and the attributes of this one."""
    usual = [("tags", _("the tag")), ("categories", _("the category")), ("brands", _("the brand"))]
    own = [each for each in vocabulary(site).attributes if each.startswith("attributes.")][:MAX_ATTRIBUTES]
    named = [(each, _("%(attribute)s is") % {"attribute": each.removeprefix("attributes.")}) for each in own]
    return [*usual, *named, ("condition", _("the condition"))]


def _errors(form: Any) -> list[str]:
    """Return what keeps the rule from being saved, each with its field."""
    if form is None:
        return []
    said = []
    for name, errors in form.errors.items():
        label = str(form.fields[name].label or name) if name in form.fields and name != "__all__" else ""
        said += [f"{label}: {error}" if label else str(error) for error in errors]
    return said
