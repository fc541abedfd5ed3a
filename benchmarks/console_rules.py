"""A shop of 600 items with 40 rules as good merchandisers write them, and 40 faults to plant among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import msgspec
import numpy as np

from features.catalogue.draft import with_changes
from features.catalogue.items import ItemRow
from features.catalogue.snapshot import CatalogueSnapshot
from recommendations.filters import language
from recommendations.items.index import ItemIndex
from recommendations.lint.findings import Finding, Problem
from recommendations.lint.linter import lint
from recommendations.pipeline.query import PlacementSpec
from recommendations.pipeline.rules.base import RuleSpec, compile_rule

NOW_MS: Final = 1_800_000_000_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
N_ITEMS: Final = 600
FIRST_FAULT: Final = 1_000
SEGMENTS: Final = ("champions", "loyal", "promising", "at_risk", "lost", "new_buyers")

BRANDS: Final = (
    "Loam", "Alta", "Brio", "Cirrus", "Dune", "Ember", "Fjord", "Grove", "Harbour", "Isle", "Juniper", "Kite & Sons",
)  # fmt: skip
CATEGORIES: Final = (
    "Women > Shoes > Boots", "Women > Shoes > Sandals", "Women > Jackets", "Men > Shoes > Boots", "Men > Jackets",
    "Home > Lamps", "Home > Kitchen", "Outdoor > Tents", "Outdoor > Bags", "Kids > Toys",
)  # fmt: skip
COLOURS: Final = ("moss", "sand", "ink", "rust", "snow")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One planted fault: rules to add, and what must be found of which of them (numbers count from the first)."""

    problem: Problem
    rules: Sequence[dict[str, Any]] = ()
    about: tuple[int, ...] = (0,)
    placement: dict[str, Any] = field(default_factory=dict)

    def numbered(self) -> list[dict[str, Any]]:
        """Return the rules with their ids."""
        return [
            {"rule_id": FIRST_FAULT + number, "name": f"fault {number}", **rule}
            for number, rule in enumerate(self.rules)
        ]


def _item(number: int) -> ItemRow:
    price = 500 + 50 * number
    on_sale = number % 6 == 0
    return ItemRow(
        pk=number + 1, item_id=f"SKU-{number:04d}", title=f"Item {number}", titles={}, brand=BRANDS[number % 12],
        category=CATEGORIES[number % 10], url=f"/p/{number}", image_url="", price_minor=price,
        sale_price_minor=price * 8 // 10 if on_sale else None, cost_minor=price // 2, currency="EUR",
        availability="out_of_stock" if number % 50 == 7 else "in_stock",
        stock=0 if number % 50 == 7 else number % 40 + 3,
        group_id="", tags=[word for word, every in (("new", 15), ("eco", 7), ("gift", 9)) if number % every == 0],
        attributes={"colour": COLOURS[number % 5], "weight": number % 30 + 0.5}, is_active=number % 97 != 96,
        first_seen_us=(NOW_MS - number * HOUR_MS) * 1000, updated_us=NOW_MS * 1000,
    )  # fmt: skip


@cache
def shop() -> ItemIndex:
    """Return the shop's catalogue."""
    snapshot = with_changes(CatalogueSnapshot.empty("shop"), [_item(number) for number in range(N_ITEMS)])
    return ItemIndex(snapshot, popularity=np.arange(N_ITEMS, 0, -1).astype(np.float32), now_ms=NOW_MS)


def placements(**changes: Any) -> dict[str, PlacementSpec]:
    """Return the shop's placements; ``changes`` are those of the placement ``product_similar``."""
    rows: dict[str, dict[str, Any]] = {
        "home_for_you": {"size": 8},
        "home_new": {"size": 12, "strategy": "new"},
        "sale_page": {"size": 24, "filter": "on_sale = true"},
        "product_similar": {"size": 8, "strategy": "similar", **changes},
        "cart": {"size": 4, "strategy": "cart", "filter": "price < 200"},
        "search": {"size": 40, "strategy": "rerank"},
    }
    return {
        name: PlacementSpec(
            name=name, condition=language.parse(row["filter"]) if row.get("filter") else None, **row
        )
        for name, row in rows.items()
    }  # fmt: skip


def found(rules: Sequence[dict[str, Any]], **placement: Any) -> list[Finding]:
    """Return what the linter finds in these rules, given as fields of ``RuleSpec``."""
    compiled = [compile_rule(msgspec.convert(rule, RuleSpec)) for rule in rules]
    return lint(compiled, placements(**placement), shop(), now_ms=NOW_MS, segments=SEGMENTS)


def ids(*numbers: int) -> tuple[str, ...]:
    """Return ids of items."""
    return tuple(f"SKU-{number:04d}" for number in numbers)


GOOD: Final[tuple[dict[str, Any], ...]] = tuple(
    {"rule_id": number, "name": f"good {number}", **rule}
    for number, rule in enumerate(
        (
            {"action": "pin", "items": ids(1, 2, 3), "placements": ("home_for_you",)},
            {"action": "pin", "items": ids(11), "position": 4, "placements": ("home_for_you",)},
            {"action": "pin", "items": ids(12), "position": 4, "placements": ("home_for_you",), "priority": 5,
             "segments": ("champions",)},
            {"action": "pin", "items": ids(4, 5), "placements": ("home_new",), "shoppers": "new"},
            {"action": "pin", "items": ids(9, 10), "placements": ("home_new",), "shoppers": "returning"},
            {"action": "pin", "items": ids(21), "position": 8, "placements": ("product_similar",)},
            {"action": "pin", "items": ids(31), "position": 2, "placements": ("product_similar",),
             "context_condition": 'category under "Home"'},
            {"action": "pin", "items": ids(32), "position": 2, "placements": ("product_similar",),
             "context_condition": 'category under "Outdoor"'},
            {"action": "pin", "items": ids(40), "placements": ("search",), "ends_at_ms": NOW_MS + 5 * DAY_MS},
            {"action": "pin", "items": ids(42), "placements": ("search",), "starts_at_ms": NOW_MS + 5 * DAY_MS,
             "ends_at_ms": NOW_MS + 9 * DAY_MS},
            {"action": "pin", "items": ids(43), "position": 3, "placements": ("search",),
             "starts_at_ms": NOW_MS - HOUR_MS, "ends_at_ms": NOW_MS + 20 * HOUR_MS},
            {"action": "boost", "brands": ("Loam",), "strength": 3.0},
            {"action": "boost", "brands": ("alta", "BRIO"), "strength": 1.5, "placements": ("home_for_you",)},
            {"action": "boost", "categories": ("Women > Jackets",), "placements": ("home_new",)},
            {"action": "boost", "categories": ("Lamps",), "placements": ("product_similar",)},
            {"action": "boost", "categories": ("Outdoor",), "segments": ("loyal", "promising")},
            {"action": "boost", "tags": ("new",), "strength": 2.0},
            {"action": "boost", "tags": ("Eco",), "strength": 1.2, "placements": ("search",)},
            {"action": "boost", "price_from": 20.0, "price_to": 60.0, "placements": ("cart",)},
            {"action": "boost", "condition": 'attributes.colour = "moss" and price < 100', "placements": ("search",)},
            {"action": "boost", "condition": "margin > 0.4 and age_days < 3", "placements": ("home_new",)},
            {"action": "boost", "condition": "on_sale = true", "placements": ("home_for_you",), "strength": 1.3},
            {"action": "boost", "tags": ("gift",), "starts_at_ms": NOW_MS + 20 * DAY_MS,
             "ends_at_ms": NOW_MS + 40 * DAY_MS, "strength": 4.0},
            {"action": "boost", "items": ids(50, 51, 52), "strength": 2.0, "placements": ("search",)},
            {"action": "bury", "stock_to": 4, "strength": 2.0},
            {"action": "bury", "brands": ("Dune",), "strength": 4.0, "placements": ("home_new",)},
            {"action": "bury", "items": ids(60), "strength": 10.0},
            {"action": "bury", "condition": "not tags is empty and price > 250", "strength": 1.5},
            {"action": "bury", "categories": ("Toys",), "shoppers": "new", "placements": ("home_for_you",)},
            {"action": "exclude", "items": ids(70, 71)},
            {"action": "exclude", "condition": 'availability = "out of stock"'},
            {"action": "exclude", "condition": 'availability = "Pre-order"', "placements": ("cart",)},
            {"action": "exclude", "stock_to": 2},
            {"action": "exclude", "brands": ("Kite & Sons",), "placements": ("product_similar",)},
            {"action": "exclude", "categories": ("Kids > Toys",), "placements": ("home_new",),
             "segments": ("champions",)},
            {"action": "exclude", "condition": 'price > 280 and category under "Men > Shoes"'},
            {"action": "include_only", "categories": ("Women",), "placements": ("sale_page",), "segments": ("loyal",)},
            {"action": "include_only", "condition": 'not brand = "Ember"', "placements": ("search",)},
            {"action": "include_only", "price_to": 150.0, "placements": ("cart",)},
            {"action": "boost", "condition": 'attributes.weight >= 20 and brand != "Loam"', "strength": 1.4,
             "placements": ("product_similar",)},
        ), start=1,
    )
)  # fmt: skip
"""Nothing is wrong with any of them, nor with all of them together."""

_HOME: Final[dict[str, Any]] = {"placements": ("home_for_you",)}
_BOOST: Final[dict[str, Any]] = {"action": "boost", "strength": 5.0}
_BURY: Final[dict[str, Any]] = {"action": "bury", "strength": 5.0}

FAULTS: Final[tuple[Fault, ...]] = (
    # Names that the catalogue does not have.
    Fault(problem=Problem.UNKNOWN, rules=[{**_BOOST, "items": ("SKU-0101", "SKU-01O2")}]),
    Fault(problem=Problem.UNKNOWN, rules=[{"action": "exclude", "items": ("SKU-0103,SKU-0104",)}]),
    Fault(problem=Problem.UNKNOWN, rules=[{**_BOOST, "brands": ("Loan", "Fjord"), "placements": ("search",)}]),
    Fault(problem=Problem.UNKNOWN, rules=[{**_BOOST, "categories": ("Women > Shoe",)}]),
    Fault(problem=Problem.UNKNOWN, rules=[{**_BOOST, "tags": ("neww",)}]),
    Fault(problem=Problem.UNKNOWN, rules=[{"action": "exclude", "condition": 'colour = "moss"'}]),
    Fault(problem=Problem.UNKNOWN, rules=[{**_BOOST, "condition": 'attributes.colour = "mos" or price < 9'}]),
    Fault(problem=Problem.UNKNOWN, rules=[{**_BURY, "condition": 'not brand in ("Isle", "Junipper")'}]),
    Fault(problem=Problem.UNKNOWN, rules=[{**_BOOST, "tags": ("gift",), "segments": ("champoins",)}]),
    Fault(problem=Problem.UNKNOWN, rules=[{**_BOOST, "tags": ("gift",), "context_condition": 'brand = "Ebmer"'}]),
    # Does nothing.
    Fault(problem=Problem.DEAD, rules=[{**_BOOST, "price_from": 5000.0}]),
    Fault(problem=Problem.DEAD, rules=[{**_BOOST, "items": ("NO-1", "NO-2")}]),
    Fault(problem=Problem.DEAD, rules=[{"action": "pin", "items": ids(7, 57), **_HOME}]),
    Fault(problem=Problem.DEAD, rules=[{"action": "pin", "items": ids(80), "position": 50, **_HOME}]),
    Fault(problem=Problem.DEAD, rules=[{"action": "pin", "items": ids(80), "position": 50}]),
    Fault(problem=Problem.DEAD, rules=[{"action": "boost", "strength": 1.0, "brands": ("Grove",)}]),
    Fault(problem=Problem.DEAD, rules=[{**_BOOST, "brands": ("Grove",), "placements": ("gone",)}]),
    Fault(problem=Problem.DEAD, rules=[{**_BOOST, "price_from": 250.0, "placements": ("cart",)}]),
    Fault(problem=Problem.DEAD, rules=[{**_BOOST, "tags": ("gift",), "context_condition": "price > 9000"}]),
    Fault(problem=Problem.DEAD, rules=[{"action": "exclude", "brands": ("Loam",), "price_from": 999.0}]),
    # Times.
    Fault(problem=Problem.EXPIRED, rules=[{**_BOOST, "tags": ("gift",), "ends_at_ms": NOW_MS - HOUR_MS}]),
    Fault(problem=Problem.EXPIRING, rules=[{**_BOOST, "brands": ("Isle",), "ends_at_ms": NOW_MS + DAY_MS}]),
    # Touches very much, or empties.
    Fault(problem=Problem.OVER_BROAD, rules=[{"action": "exclude", "price_from": 60.0, "placements": ("search",)}]),
    Fault(problem=Problem.OVER_BROAD, rules=[{**_BOOST, "condition": 'not brand = "Isle"', **_HOME}]),
    Fault(problem=Problem.OVER_BROAD, rules=[{"action": "pin", "items": ids(*range(101, 110)), **_HOME,
                                              "segments": ("lost",)}]),
    Fault(problem=Problem.SHORT, rules=[{"action": "include_only", "items": ids(81, 82, 83), **_HOME}]),
    Fault(problem=Problem.EMPTYING, rules=[{"action": "include_only", "items": ("NO-3",), **_HOME}]),
    Fault(problem=Problem.EMPTYING, rules=[{"action": "exclude", "condition": "price > 0", "placements": ("cart",)}]),
    Fault(problem=Problem.EMPTYING, about=(0, 1), rules=[
        {"action": "include_only", "brands": ("Grove",), "placements": ("product_similar",)},
        {"action": "exclude", "condition": 'brand = "grove"'},
    ]),
    Fault(problem=Problem.EMPTYING, about=(), placement={"filter": "price > 100000"}),
    # Contradictions.
    Fault(problem=Problem.CONFLICT, about=(0, 1), rules=[
        {"action": "pin", "items": ids(90), "position": 6, **_HOME},
        {"action": "pin", "items": ids(91), "position": 6},
    ]),
    Fault(problem=Problem.CONFLICT, about=(0, 1), rules=[
        {"action": "pin", "items": ids(92, 93), "position": 5, **_HOME},
        {"action": "pin", "items": ids(93), "position": 8, **_HOME, "priority": 3},
    ]),
    Fault(problem=Problem.CONFLICT, about=(0, 1), rules=[
        {"action": "pin", "items": ids(94), "position": 7, **_HOME},
        {"action": "exclude", "items": ids(94)},
    ]),
    Fault(problem=Problem.CONFLICT, about=(0, 1), rules=[
        {"action": "pin", "items": ids(92), "position": 9, "placements": ("home_new",)},
        {"action": "include_only", "categories": ("Home", "Kids", "Men"), "placements": ("home_new",)},
    ]),
    Fault(problem=Problem.CONFLICT, about=(0, 1), rules=[
        {**_BOOST, "brands": ("Harbour",)}, {**_BURY, "condition": 'brand = "harbour"', **_HOME},
    ]),
    # Shadows and duplicates.
    Fault(problem=Problem.SHADOWED, rules=[
        {"action": "pin", "items": ids(86), "position": 8, **_HOME},
        {"action": "pin", "items": ids(97, 86), "position": 6, **_HOME, "priority": 9},
    ]),
    Fault(problem=Problem.SHADOWED, rules=[
        {**_BOOST, "brands": ("Cirrus",), **_HOME}, {"action": "exclude", "brands": ("Cirrus",)},
    ]),
    Fault(problem=Problem.SHADOWED, rules=[
        {"action": "exclude", "items": ids(6, 18)}, {"action": "exclude", "brands": ("Fjord",)},
    ]),
    Fault(problem=Problem.DUPLICATE, about=(0, 1), rules=[
        {**_BOOST, "brands": ("Juniper",)}, {"action": "boost", "strength": 2.0, "condition": 'brand in ("juniper")'},
    ]),
    Fault(problem=Problem.DUPLICATE, about=(0, 1), rules=[
        {"action": "exclude", "items": ids(98, 99)}, {"action": "exclude", "items": ids(99, 98)},
    ]),
)  # fmt: skip


_SIMILAR: Final[dict[str, Any]] = {"placements": ("product_similar",)}

FURTHER_GOOD: Final[tuple[dict[str, Any], ...]] = tuple(
    {"rule_id": number, "name": f"further {number}", **rule}
    for number, rule in enumerate(
        (
            {**_BOOST, "same": ("brand",), **_SIMILAR},
            {**_BURY, "same": ("category",), "page_price": "dearer", **_SIMILAR},
            {"action": "include_only", "page_price": "within", "page_price_percent": 80.0, **_SIMILAR,
             "segments": ("champions",)},
            {"action": "exclude", "condition": 'price > page.price * 3 and category != page.category', **_SIMILAR},
            {"action": "pin", "position": 5, "pin_count": 1, "pin_order": "cheapest", "same": ("attributes.colour",),
             "tags": ("eco",), **_SIMILAR},
            {"action": "limit", "at_most": 2, "per": "brand", "placements": ("home_new",)},
            {"action": "limit", "at_most": 3, "per": "category", "placements": ("search",), "devices": ("mobile",)},
            {"action": "replace", "items": ids(120), "replacements": ids(121, 122), "placements": ("home_for_you",)},
            {"action": "pin", "items": ids(124), "position": 7, "placements": ("search",), "queries": ("rain jacket",)},
            {"action": "exclude", "brands": ("Isle",), "placements": ("home_new",), "countries": ("CH",)},
            {"action": "boost", "brands": ("Cirrus",), "campaigns": ("summer*",), "placements": ("home_for_you",),
             "also": ({"action": "bury", "brands": ("Harbour",), "strength": 3.0},)},
            {"action": "boost", "categories": ("Outdoor > Tents",), "locales": ("de",), "pages": ("category", "/sale"),
             "placements": ("search",), "strength": 1.7},
        ), start=500,
    )
)  # fmt: skip
"""Good rules of the further kinds: relative to the page, replacements, limits, audiences, several actions."""

FURTHER_FAULTS: Final[tuple[Fault, ...]] = (
    Fault(problem=Problem.NO_PAGE, rules=[{**_BOOST, "same": ("brand",), **_HOME}]),
    Fault(problem=Problem.NO_PAGE, rules=[{"action": "exclude", "condition": "price > page.price", **_HOME}]),
    Fault(problem=Problem.UNKNOWN, rules=[{**_BOOST, "same": ("attributes.color",), **_SIMILAR}]),
    Fault(problem=Problem.UNKNOWN, rules=[{**_BOOST, "condition": "brand = page.brnd", **_SIMILAR}]),
    Fault(problem=Problem.UNKNOWN, rules=[{"action": "replace", "items": ids(130), "replacements": ("SKU-99",)}]),
    Fault(problem=Problem.UNKNOWN, rules=[
        {**_BOOST, "tags": ("gift",), "also": ({"action": "bury", "brands": ("Dun",)},)},
    ]),
    Fault(problem=Problem.DEAD, rules=[{"action": "replace", "items": ids(130), "replacements": ids(7)}]),
    Fault(problem=Problem.DEAD, rules=[{"action": "replace", "price_from": 9000.0, "replacements": ids(8)}]),
    Fault(problem=Problem.DEAD, rules=[{"action": "limit", "at_most": 20, **_HOME}]),
    Fault(problem=Problem.CONFLICT, about=(0, 1), rules=[
        {"action": "replace", "items": ids(131), "replacements": ids(132)}, {"action": "exclude", "items": ids(132)},
    ]),
    Fault(problem=Problem.CONFLICT, about=(0, 1), rules=[
        {"action": "pin", "items": ids(133), "position": 6, **_HOME},
        {"action": "replace", "items": ids(133), "replacements": ids(134)},
    ]),
    Fault(problem=Problem.SHADOWED, rules=[
        {"action": "limit", "at_most": 4, "per": "brand", "placements": ("search",)},
        {"action": "limit", "at_most": 2, "per": "brand", "placements": ("search",)},
    ]),
    Fault(problem=Problem.DUPLICATE, about=(0, 1), rules=[
        {**_BOOST, "same": ("category",), **_SIMILAR}, {**_BOOST, "condition": "category = page.category", **_SIMILAR},
    ]),
    Fault(problem=Problem.EMPTYING, rules=[
        {"action": "exclude", "condition": "price > 0", "placements": ("cart",), "devices": ("mobile",)},
    ]),
    Fault(problem=Problem.EMPTYING, about=(0, 1), rules=[
        {"action": "include_only", "brands": ("Grove",), **_SIMILAR, "countries": ("AT",)},
        {"action": "exclude", "brands": ("Grove",), **_SIMILAR, "devices": ("tablet",)},
    ]),
)  # fmt: skip


def is_found(fault: Fault) -> bool:
    """Return whether the linter names the fault, and all of its rules, planted among the good ones."""
    wanted = {FIRST_FAULT + number for number in fault.about}
    return any(
        finding.problem is fault.problem and wanted <= set(finding.rule_ids) and (bool(wanted) or not finding.rule_ids)
        for finding in found([*GOOD, *fault.numbered()], **fault.placement)
    )


def false_alarms() -> list[Finding]:
    """Return what the linter says of the good rules, those of the further kinds among them."""
    return found([*GOOD, *FURTHER_GOOD])
