"""That rules looked up by audience, and asked together, do to a list what they do one by one."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from recommendations.core.actions import RuleAction
from recommendations.core.types import RequestUser
from recommendations.core.visit import Visit
from recommendations.filters.relative import on_page
from recommendations.filters.targets import Targets
from recommendations.items.index import ItemIndex
from recommendations.pipeline.rules import applying, registry
from recommendations.pipeline.rules.applying import Rules
from recommendations.pipeline.rules.base import ActiveRule, RulePart, RuleSpec, applies, compile_rule
from recommendations.retrieval.base import listed
from tests.recommendations.worlds import NOW_MS, item_index

N = 80
BRANDS = ("Loam", "Fjord", "Isle", "")
CATEGORIES = ("Women > Shoes", "Women > Coats", "Men > Shoes", "")
TAGS = ("new", "eco", "gift")
ON = item_index(
    *(
        {
            "brand": BRANDS[number % 4],
            "category": CATEGORIES[number // 4 % 4],
            "tags": [tag for bit, tag in enumerate(TAGS) if number >> bit & 1],
            "price_minor": 100 * (number % 20 + 1),
            "stock": None if number % 3 else number,
            "attributes": {"colour": ("moss", "rust")[number % 2], "weight": number % 7} if number % 5 else {},
        }
        for number in range(N)
    )
)
ROWS = np.arange(N, dtype=np.int32)
CONDITIONS = (
    'brand = "loam"', 'not brand = "Isle"', 'category under "Shoes"', 'category under "Women" and price > 7',
    "price >= 3 and price < 12", "price > 3 and price > 5", "price = 4", "price != 4", 'tags has "eco"',
    'tags != "gift"', "tags is empty", "brand is empty", "brand is not empty", 'attributes.colour = "moss"',
    "attributes.weight >= 3", "attributes.weight is empty", 'attributes.size = "M"', "stock <= 20", "stock is empty",
    'brand = "Fjord" or tags has "new"', 'brand = "Fjord" or price < 5', 'item_id in ("sku3", "sku9")',
    'item_id != "sku3"', 'brand in ("Loam", "Isle") and tags has "new" and attributes.colour = "rust"', "age_days < 70",
    "in_stock = true", 'availability = "in stock"', "on_sale = true", 'brand = "Nobody"', "price < 0",
)  # fmt: skip
RELATIVE: tuple[dict[str, Any], ...] = ({"same": ("brand",)}, {"page_price": "cheaper"}, {"same": ("tags",)})


def a_part(chance: random.Random) -> dict[str, Any]:
    target: dict[str, Any] = chance.choice([
        {"items": tuple(f"sku{each}" for each in chance.sample(range(N + 3), 4))},
        {"brands": tuple(chance.sample(BRANDS[:3], 2)), "price_from": float(chance.randrange(12))},
        {"categories": (chance.choice(("Women", "Shoes", "Men > Shoes")),), "tags": (chance.choice(TAGS),)},
        {"tags": (chance.choice(TAGS),), "price_to": float(chance.randrange(12)), "stock_from": 5},
        {"condition": chance.choice(CONDITIONS)},
        {"condition": chance.choice(CONDITIONS), "brands": (chance.choice(BRANDS[:3]),)},
        {},
        chance.choice(RELATIVE),
    ])  # fmt: skip
    action = chance.choice([RuleAction.BOOST, RuleAction.BURY, RuleAction.BOOST, RuleAction.EXCLUDE,
                            RuleAction.INCLUDE_ONLY, RuleAction.PIN, RuleAction.LIMIT])  # fmt: skip
    return {"action": action, "strength": chance.choice([1.5, 2.0, 4.0]), **target}


def a_rule(number: int, chance: random.Random) -> RuleSpec:
    audience: dict[str, Any] = chance.choice([
        {}, {}, {}, {"segments": ("champions", "lost")}, {"segments": ("lost",)}, {"shoppers": "new"},
        {"devices": ("mobile",)}, {"context_condition": 'brand = "Loam"'}, {"ends_at_ms": NOW_MS},
        {"starts_at_ms": NOW_MS}, {"starts_at_ms": NOW_MS + 1}, {"pages": ("home",), "segments": ("champions",)},
    ])  # fmt: skip
    also = tuple(RulePart(**a_part(chance)) for _ in range(chance.choice([0, 0, 0, 2])))
    return RuleSpec(rule_id=number, name="r", also=also, **a_part(chance), **audience)


def one_by_one(rules: Rules, user: RequestUser, page_row: int | None, visit: Visit) -> list[ActiveRule]:
    """The actions that apply, each looked at and compiled by itself."""
    found = []
    for rule in rules:
        if not applies(rule.spec, user=user, now_ms=NOW_MS, visit=visit):
            continue
        if rule.context is not None and (page_row is None or not Targets(rule.context, ON).take([page_row])[0]):
            continue
        for part in rule.parts:
            if part.is_relative and page_row is None:
                continue
            target = on_page(part.target, ON, page_row) if page_row is not None else part.target
            found.append(ActiveRule(spec=part.spec, mask=Targets(target, ON)))
    return found


@pytest.mark.parametrize("seed", range(12))
def test_rules_do_together_what_they_do_one_by_one(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(applying, "MANY", chance.choice([0, 5, 1_000]))
    rules = Rules(compile_rule(a_rule(number, chance)) for number in range(1, chance.choice([1, 9, 90, 200])))
    for _ in range(6):
        user = RequestUser(
            segments=frozenset(chance.sample(("champions", "lost", "other"), chance.randrange(3))),
            is_returning=chance.random() < 0.5,
        )
        visit = Visit(device=chance.choice(("mobile", "desktop", "")), page=chance.choice(("home", "")))
        page_row = chance.choice([None, chance.randrange(N)])
        wanted = one_by_one(rules, user, page_row, visit)

        active = rules.active(user, ON, page_row=page_row, now_ms=NOW_MS, visit=visit)

        assert [rule.spec for rule in active] == [rule.spec for rule in wanted]
        filters = [rule for rule in wanted if rule.spec.action in registry.FILTERS]
        allowed, expected = active.allowed(ROWS), registry.allowed(filters, lambda mask: mask.take(ROWS))
        assert (allowed is None) == (expected is None)
        if allowed is not None and expected is not None:
            assert allowed.tolist() == expected.tolist()
            of_all = active.allowed_of_all()
            assert of_all is not None
            assert of_all.tolist() == expected.tolist()
        some = ROWS[chance.sample(range(N), 30)]
        ranked = listed(some)
        moved, used = active.with_boosts(ranked)
        moving = [rule for rule in wanted if rule.spec.action in registry.MOVING]
        by_itself, used_alone = registry.with_boosts(ranked, moving)
        np.testing.assert_allclose(moved.scores, by_itself.scores, rtol=1e-5)
        assert list(dict.fromkeys(used)) == list(dict.fromkeys(used_alone))
        assert [rule.spec for rule in active.of(RuleAction.PIN)] == [
            rule.spec for rule in wanted if rule.spec.action == RuleAction.PIN
        ]


def test_a_table_is_made_once_a_catalogue_and_again_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applying, "MANY", 0)
    rules = Rules([compile_rule(RuleSpec(rule_id=1, name="r", action=RuleAction.EXCLUDE, brands=("Loam",)))])
    first = item_index({"brand": "Loam"}, {"brand": "Isle"})
    counted = ItemIndex(first.catalogue, now_ms=NOW_MS)
    changed = item_index({"brand": "Isle"}, {"brand": "Isle"}, {"brand": "Loam"})

    def kept(index: ItemIndex) -> list[bool]:
        active = rules.active(RequestUser(), index, page_row=None, now_ms=NOW_MS)
        allowed = active.allowed(np.arange(index.n_rows, dtype=np.int32))
        assert allowed is not None
        return [bool(each) for each in allowed]

    assert kept(first) == [False, True]
    counted.warm_from(first)
    changed.warm_from(first)
    maker = rules._maker
    assert counted.made(maker) is first.made(maker) is not changed.made(maker)
    assert kept(counted) == [False, True]
    assert kept(changed) == [True, True, False]


@pytest.mark.parametrize(("many", "is_made"), [(0, True), (1, False)])
def test_the_table_of_many_rules_stands_ready_before_a_list_asks(
    many: int, is_made: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applying, "MANY", many)
    rules = Rules([compile_rule(RuleSpec(rule_id=1, name="r", action=RuleAction.EXCLUDE, brands=("Loam",)))])
    index = item_index({"brand": "Loam"})
    rules.warm(index)

    assert bool(len(index._made)) is is_made


def test_rules_that_a_hold_out_leaves_out_are_left_out_once() -> None:
    rules = Rules(compile_rule(RuleSpec(rule_id=n, name="r", action=RuleAction.EXCLUDE)) for n in (1, 2, 3))

    assert [rule.spec.rule_id for rule in rules.without(frozenset({2}))] == [1, 3]
    assert rules.without(frozenset({2})) is rules.without(frozenset({2}))
