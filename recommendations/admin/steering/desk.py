"""On which a list is steered: a placement, the rule that moves become, and what each move did, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from django.utils.translation import gettext as _

from recommendations.admin.steering import moves
from recommendations.admin.wording import rule_words
from recommendations.core.actions import PinOrder, RuleAction
from recommendations.exceptions import InvalidQuery
from recommendations.filters import language
from recommendations.models import Placement, Rule
from recommendations.pipeline.rules.base import PART_FIELDS, RulePart, RuleSpec
from recommendations.pipeline.rules.pin import MAX_PINNED
from recommendations.state import placements
from recommendations.state.site import watch_site
from tracking.models import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What the page works on: a placement, the rule that its moves become, and what is steered so far."""

    placement: Placement
    rule: Rule | None
    steered: moves.Steered
    past: Sequence[moves.Steered] = ()
    said: str = ""
    problem: str = ""

    @property
    def site(self) -> Site:
        """The site of the placement."""
        found: Site = self.placement.site
        return found

    @property
    def spec(self) -> RuleSpec | None:
        """The rule as it stands on the page but for its name and times; ``None`` while nothing is steered."""
        if self.steered.is_empty:
            return None
        known = placements.rule_spec(self.rule) if self.rule is not None else blank(self.placement)
        first, *also = moves.parts_of_steered(self.steered)
        fields = {name: getattr(first, name) for name in PART_FIELDS}
        return msgspec.structs.replace(known, **fields, also=tuple(also))


def moved(desk: Desk, do: str, asked: Mapping[str, Any]) -> Desk:
    """Return the desk after one move, with what it did in words; one that cannot be understood says so."""
    try:
        return _moved(desk, do, asked)
    except InvalidQuery as error:
        return replace(desk, problem=error.reason)


def _moved(desk: Desk, do: str, asked: Mapping[str, Any]) -> Desk:
    if do == "undo":
        if not desk.past:
            return replace(desk, said=_("There is nothing to undo."))
        return replace(desk, steered=desk.past[-1], past=desk.past[:-1], said=_("Undone."))
    verb, __, rest = do.partition(":")
    size = desk.placement.size
    if verb == "pin":
        rank, __, item_id = rest.partition(":")
        after, said = _pinned(desk, item_id, rank, size)
    elif verb == "place":
        after, said = _pinned(desk, rest, str(asked.get("at", "1")), size)
    elif verb == "unpin":
        after = moves.unpinned(desk.steered, rest)
        said = _("%(item)s is not pinned any more.") % {"item": title_of(desk.site, rest)}
    elif verb == "exclude":
        after = moves.without(desk.steered, rest)
        said = _("%(item)s is never shown here.") % {"item": title_of(desk.site, rest)}
    elif verb == "include":
        after = moves.shown_again(desk.steered, rest)
        said = _("%(item)s may be shown again.") % {"item": title_of(desk.site, rest)}
    elif verb == "set":
        after, said = _with_set(desk, asked)
    elif verb == "unset" and rest.isdecimal():
        after, said = moves.without_set(desk.steered, int(rest)), _("That pin is gone.")
    else:
        after, said = desk.steered, ""
    if after == desk.steered:
        return replace(desk, said=said)
    moves.parts_of_steered(after)  # or it says that they are too many
    return replace(desk, steered=after, past=[*desk.past, desk.steered][-moves.MAX_UNDONE :], said=said)


def _pinned(desk: Desk, item_id: str, rank: str, size: int) -> tuple[moves.Steered, str]:
    if not rank.isdecimal() or not item_id:
        raise InvalidQuery(field="do", reason=_("the rank %(rank)s is not a number") % {"rank": repr(rank)})
    after = moves.pinned(desk.steered, item_id, int(rank), size=size)
    said = _("%(item)s is pinned to rank %(rank)s.") % {
        "item": title_of(desk.site, item_id), "rank": after.items[item_id],
    }  # fmt: skip
    lost = [title_of(desk.site, each) for each in moves.dropped(desk.steered, after, moved=item_id)]
    if lost:
        said = f"{said} {_('Below the last rank, so not pinned any more: %(items)s.') % {'items': ', '.join(lost)}}"
    return after, said


def _with_set(desk: Desk, asked: Mapping[str, Any]) -> tuple[moves.Steered, str]:
    """Return the list with a pin of what matches, as its small form says it."""
    kind, value = str(asked.get("set_kind", "")), str(asked.get("set_value", "")).replace("\x00", "").strip()
    if not value:
        raise _Unsaid(_("Name what to pin: a tag, category, brand or condition."))
    target: dict[str, Any]
    if kind in ("tags", "categories", "brands"):
        target = {kind: (value,)}
    elif kind.startswith("attributes."):
        target = {"condition": f"{kind} = {msgspec.json.encode(value).decode()}"}
    else:
        language.parse(value, allows_page=True)
        target = {"condition": value}
    numbers = {name: str(asked.get(name, "")) for name in ("set_count", "set_at")}
    if not all(each.isdecimal() for each in numbers.values()):
        raise _Unsaid(_("How many, and from which rank, are whole numbers."))
    order = str(asked.get("set_order", ""))
    part = RulePart(
        action=RuleAction.PIN, pin_count=max(1, min(int(numbers["set_count"]), MAX_PINNED)),
        pin_order=PinOrder(order) if order in {name for name, __ in PinOrder.choices()} else PinOrder.NEWEST,
        position=max(1, min(int(numbers["set_at"]), desk.placement.size)), **target,
    )  # fmt: skip
    alone = msgspec.structs.replace(blank(desk.placement), **{name: getattr(part, name) for name in PART_FIELDS})
    return moves.with_set(desk.steered, part), rule_words(msgspec.structs.replace(alone, placements=()))


class _Unsaid(InvalidQuery):
    """What the small form leaves open."""

    def __init__(self, reason: str) -> None:
        super().__init__(field="set_value", reason=reason)


def blank(placement: Placement) -> RuleSpec:
    """Return a new rule for one placement."""
    return RuleSpec(rule_id=0, name=name_of(placement), action=RuleAction.PIN, placements=(placement.name,))


def name_of(placement: Placement) -> str:
    """Return how a new rule is called unless she calls it otherwise."""
    return _("Steered by hand: %(placement)s") % {"placement": placement.heading or placement.name}


def title_of(site: Site, item_id: str) -> str:
    """Return the title of an item; its id where the catalogue has none."""
    card = watch_site(site.slug).ensure_loaded().item_index.catalogue.card(item_id)
    return card.title or item_id if card is not None else item_id
