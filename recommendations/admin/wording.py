"""What sources, reasons, rules and states are called on the screens of merchandisers: plain words, no names of code."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from recommendations.core.actions import LimitPer, PagePrice, PinOrder, RuleAction
from recommendations.core.visit import Device, PageKind
from recommendations.core.words import Worded, all_of, first_of, gettext_noop, moment, one_of
from recommendations.core.words import gettext as _
from recommendations.pipeline.eligibility import Filtered
from recommendations.pipeline.explanation import RuleEffect
from recommendations.pipeline.rules.base import RulePart, RuleSpec, parts_of
from recommendations.pipeline.rules.registry import ACTIONS
from recommendations.retrieval.sources import LABELS

MAX_NAMED: Final = 3
UTC: Final = ZoneInfo("UTC")

FIELD_LABELS: Final[Mapping[str, str]] = {
    "name": gettext_noop("Name"),
    "action": gettext_noop("Action"),
    "strength": gettext_noop("Strength"),
    "position": gettext_noop("Position"),
    "pin_count": gettext_noop("How many"),
    "pin_order": gettext_noop("Which first"),
    "at_most": gettext_noop("At most"),
    "per": gettext_noop("Of each"),
    "replacements": gettext_noop("Show instead"),
    "priority": gettext_noop("Priority"),
    "items": gettext_noop("Items"),
    "categories": gettext_noop("Categories"),
    "brands": gettext_noop("Brands"),
    "tags": gettext_noop("Tags"),
    "price_from": gettext_noop("Price from"),
    "price_to": gettext_noop("Price to"),
    "stock_from": gettext_noop("Stock from"),
    "stock_to": gettext_noop("Stock to"),
    "condition": gettext_noop("Condition"),
    "same": gettext_noop("Like the item of the page"),
    "page_price": gettext_noop("Price beside the item of the page"),
    "page_price_percent": gettext_noop("Percent"),
    "also": gettext_noop("Further actions"),
    "placements": gettext_noop("Placements"),
    "context_condition": gettext_noop("Only on pages of"),
    "shoppers": gettext_noop("Shoppers"),
    "segments": gettext_noop("Segments"),
    "devices": gettext_noop("Devices"),
    "locales": gettext_noop("Languages"),
    "countries": gettext_noop("Countries"),
    "campaigns": gettext_noop("Ad campaigns"),
    "queries": gettext_noop("Searches"),
    "pages": gettext_noop("Pages"),
    "starts_at_ms": gettext_noop("From"),
    "ends_at_ms": gettext_noop("Until"),
}
"""Every field of ``RuleSpec`` but its id; a test holds the two to each other."""


ENUMS: Final[Mapping[str, type[Worded]]] = {
    "action": RuleAction, "pin_order": PinOrder, "per": LimitPer, "page_price": PagePrice,
}  # fmt: skip


def source_words(name: str, own: Mapping[str, str] | None = None) -> str:
    """Return what a source or reason says of an item; the name itself where a model of another release brought it.

    Parameters
    ----------
    own : mapping of name to str, optional
        What the site's own sources say, as it wrote it.
    """
    if name in LABELS:
        return _(LABELS[name])
    return (own or {}).get(name) or name.replace("_", " ")


def filtered_words(reason: str) -> str:
    """Return why a candidate may not be shown."""
    return Filtered(reason).label


def effect_words(effect: RuleEffect) -> str:
    """Return what one rule did to one item."""
    return ACTIONS[effect.action].effect_words(factor=effect.factor, position=effect.position)


def rule_words(spec: RuleSpec, zone: ZoneInfo = UTC) -> str:
    """Return a rule as one sentence, with times as clocks of the zone show them."""
    sentence = "; ".join([*_actions(spec), *_audience(spec), *_schedule(spec, zone)])
    return _("%(sentence)s.") % {"sentence": sentence}


def _actions(spec: RuleSpec) -> Iterable[str]:
    """Yield what each action does to which items."""
    for number, part in enumerate(parts_of(spec)):
        words = ACTIONS[part.action].sentence(part, _targets(part))
        yield _("and %(action)s") % {"action": words[:1].lower() + words[1:]} if number else words


def _audience(spec: RuleSpec) -> Iterable[str]:
    """Yield where and for whom the rule applies; nothing for everybody, everywhere."""
    if spec.placements:
        yield _("in %(placements)s") % {"placements": first_of(spec.placements)}
    if spec.shoppers != "all":
        yield _("for new shoppers") if spec.shoppers == "new" else _("for returning shoppers")
    if spec.segments:
        yield _("for the segments %(segments)s") % {"segments": first_of(spec.segments)}
    if spec.context_condition:
        yield _("on pages of items with %(condition)s") % {"condition": spec.context_condition}
    for words, values in (
        (gettext_noop("on a %(values)s"), [word_of(Device, each) for each in spec.devices]),
        (gettext_noop("in the language %(values)s"), spec.locales),
        (gettext_noop("in the country %(values)s"), spec.countries),
        (gettext_noop("for who came by the ad campaign %(values)s"), spec.campaigns),
        (gettext_noop("for searches with %(values)s"), [_("“%(text)s”") % {"text": each} for each in spec.queries]),
        (gettext_noop("on pages of the kind %(values)s"), [word_of(PageKind, each) for each in spec.pages]),
    ):
        if values:
            yield _(words) % {"values": one_of(values) if len(values) <= MAX_NAMED else first_of(values)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field that says something else than before; empty for nothing."""

    field: str
    old: str
    new: str


def differences(old: RuleSpec, new: RuleSpec, zone: ZoneInfo = UTC) -> list[Change]:
    """Return what a rule says otherwise than another, field by field in the order and the words of its form."""
    changes = []
    for name, label in FIELD_LABELS.items():
        before, after = (_value_words(name, getattr(spec, name), zone) for spec in (old, new))
        if before != after:
            changes.append(Change(field=_(label), old=before, new=after))
    return changes


def _value_words(name: str, value: Any, zone: ZoneInfo) -> str:
    if value is None or value in ("", ()):
        return ""
    if name in ENUMS:
        return ENUMS[name](value).label
    if name == "also":
        return "; ".join(ACTIONS[part.action].sentence(part, _targets(part)) for part in parts_of_also(value))
    if name in ("starts_at_ms", "ends_at_ms"):
        return moment(dt.datetime.fromtimestamp(value / 1000, zone))
    if isinstance(value, tuple):
        return ", ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def parts_of_also(also: Sequence[RulePart]) -> Sequence[RuleSpec]:
    """Return further actions as rules of their own, to be put into words."""
    nothing = RuleSpec(rule_id=0, name="", action=RuleAction.BOOST, also=tuple(also))
    return list(parts_of(nothing))[1:]


def state_words(*, is_published: bool, has_changes: bool, spec: RuleSpec, now_ms: int) -> str:
    """Return where a rule stands: draft, scheduled, live, ended, and whether its form says something else."""
    if not is_published:
        return _("draft")
    if spec.ends_at_ms is not None and now_ms >= spec.ends_at_ms:
        return _("ended, with changes") if has_changes else _("ended")
    if spec.starts_at_ms is not None and now_ms < spec.starts_at_ms:
        return _("scheduled, with changes") if has_changes else _("scheduled")
    return _("published, with changes") if has_changes else _("published")


def word_of(declared: type[Worded], name: str) -> str:
    """Return the words of a name, the name itself where it is none of those."""
    return next((member.label for member in declared if member.value == name), name)


def _beside_page(spec: RuleSpec) -> Iterable[str]:
    """Yield how the items stand to the item of the page."""
    if spec.same:
        names = [name.removeprefix("attributes.") for name in spec.same]
        yield _("the same %(names)s as the item of the page") % {"names": all_of(names)}
    if spec.page_price == PagePrice.WITHIN:
        said = (
            gettext_noop("a price within ± %(percent)s %% of that item's")
            if spec.same
            else gettext_noop("a price within ± %(percent)s %% of that of the item of the page")
        )
        yield _(said) % {"percent": f"{spec.page_price_percent:g}"}
    elif spec.page_price == PagePrice.CHEAPER:
        yield _("a price below that of the item of the page")
    elif spec.page_price:
        yield _("a price above that of the item of the page")


def _targets(spec: RuleSpec) -> str:
    named = [
        _(words) % {"names": first_of(values)}
        for words, values in (
            (gettext_noop("item %(names)s"), spec.items),
            (gettext_noop("category %(names)s"), spec.categories),
            (gettext_noop("brand %(names)s"), spec.brands),
            (gettext_noop("tag %(names)s"), spec.tags),
        )
        if values
    ]
    limits = [
        *_span(
            (
                gettext_noop("price from %(first)s"),
                gettext_noop("price up to %(last)s"),
                gettext_noop("price %(first)s to %(last)s"),
            ),
            spec.price_from,
            spec.price_to,
        ),
        *_span(
            (
                gettext_noop("stock from %(first)s"),
                gettext_noop("stock up to %(last)s"),
                gettext_noop("stock %(first)s to %(last)s"),
            ),
            spec.stock_from,
            spec.stock_to,
        ),
        *([spec.condition] if spec.condition else ()),
        *_beside_page(spec),
    ]
    target = _joined(named, gettext_noop("%(first)s or %(second)s")) or _("every item")
    if not limits:
        return target
    values = {"items": target, "limits": _joined(limits, gettext_noop("%(first)s and %(second)s"))}
    return _("%(items)s with %(limits)s") % values


def _joined(parts: Sequence[str], words: str) -> str:
    """Return parts joined one after the other, such as "a and b and c"."""
    joined = ""
    for part in parts:
        joined = _(words) % {"first": joined, "second": part} if joined else part
    return joined


def _span(words: tuple[str, str, str], first: float | None, last: float | None) -> Iterable[str]:
    """Yield a limit from below, from above, or from both sides; nothing where there is none."""
    if first is None and last is None:
        return
    number = 2 if first is not None and last is not None else int(first is None)
    yield _(words[number]) % {
        "first": "" if first is None else f"{first:g}", "last": "" if last is None else f"{last:g}",
    }  # fmt: skip


def _schedule(spec: RuleSpec, zone: ZoneInfo) -> Iterable[str]:
    """Yield when the rule begins and ends, as clocks of the zone show it."""
    if spec.starts_at_ms is not None:
        yield _("from %(time)s") % {"time": moment(dt.datetime.fromtimestamp(spec.starts_at_ms / 1000, zone))}
    if spec.ends_at_ms is not None:
        yield _("until %(time)s") % {"time": moment(dt.datetime.fromtimestamp(spec.ends_at_ms / 1000, zone))}
