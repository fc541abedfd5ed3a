"""Pictures of the items that a rule touches, action by action, for the list of rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import msgspec
from django.template.loader import render_to_string

from features.catalogue.items import ItemCard
from recommendations.core.actions import PinOrder, RuleAction
from recommendations.exceptions import InvalidQuery
from recommendations.models import Rule
from recommendations.pipeline.rules.base import RuleSpec, compile_rule, parts_of
from recommendations.state.placements import rule_spec
from recommendations.state.site import watch_site

MAX_PICTURES: Final = 4
MAX_ACTIONS: Final = 3
TEMPLATE: Final = "admin/recommendations/rule/pictures.html"
TONES: Final = {
    RuleAction.PIN: "pin", RuleAction.BOOST: "up", RuleAction.BURY: "down", RuleAction.EXCLUDE: "gone",
}  # fmt: skip
"""How the words of an action are coloured; others plainly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """What one action does, with a few of the items that it does it to."""

    words: str
    tone: str
    cards: Sequence[ItemCard]
    n_more: int


def pictures_of(rule: Rule) -> str:
    """Return pictures of a few of the items of each action; of one that depends on a page, none."""
    try:
        touched = [_touched(part, rule.site.slug) for part in islice(parts_of(rule_spec(rule)), MAX_ACTIONS)]
    except (msgspec.ValidationError, InvalidQuery):  # stored by other means than the form
        touched = []
    return render_to_string(TEMPLATE, {"touched": touched, "n_further": max(0, 1 + len(rule.also) - MAX_ACTIONS)})


def _touched(part: RuleSpec, site: str) -> Touched:
    rows = _rows(part, site)
    all_cards = watch_site(site).ensure_loaded().item_index.catalogue.cards
    cards = list(islice((card for row in rows if (card := all_cards[row]) is not None), MAX_PICTURES))
    action = RuleAction(part.action)
    n_more = max(0, len(part.items) - len(cards))
    return Touched(words=str(action.label), tone=TONES.get(action, ""), cards=cards, n_more=n_more)


def _rows(part: RuleSpec, site: str) -> list[int]:
    item_index = watch_site(site).ensure_loaded().item_index
    if part.items:
        return [int(row) for row in item_index.rows(part.items[:MAX_PICTURES])]
    compiled = compile_rule(part)
    if compiled.is_relative:
        return []
    order = part.pin_order if part.action == RuleAction.PIN else PinOrder.POPULAR
    best = item_index.best_within(compiled.key, item_index.targets(compiled.key, compiled.target), order=order)
    return [int(row) for row in best]
