"""At most so many of a brand or category, however the list is filled."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.recommendations.pipeline.rules.test_base import home
from tests.recommendations.worlds import ids, item_index, served

BRANDS = ("Alta", "Alta", "Alta", "Brio", "Cirrus", "")
ON = item_index(*[{"brand": BRANDS[number % 6], "category": f"C{number % 4}"} for number in range(48)])
BRAND_OF = {f"sku{number}": BRANDS[number % 6] for number in range(48)}


@pytest.mark.slow
@given(st.integers(1, 4), st.integers(1, 20), st.sampled_from(["new", "trending", "for_you"]))
def test_no_list_holds_more_of_a_brand(at_most: int, limit: int, strategy: str) -> None:
    rule = {"action": "limit", "at_most": at_most, "per": "brand"}
    shown = ids(ON, served(ON, home(rule, strategy=strategy), limit=limit))
    counts = Counter(BRAND_OF[each] for each in shown)

    assert all(n <= at_most for brand, n in counts.items() if brand)
    assert len(shown) == limit if limit <= 3 * at_most + 8 else len(shown) >= 3 * at_most + 8


def test_a_limit_of_what_it_targets_leaves_the_others_alone() -> None:
    rule = {"action": "limit", "at_most": 1, "per": "all", "brands": ("Alta",)}
    shown = ids(ON, served(ON, home(rule), limit=6))

    assert [BRAND_OF[each] for each in shown] == ["Alta", "Brio", "Cirrus", "", "Brio", "Cirrus"]


def test_what_is_pinned_stays_and_counts() -> None:
    rules = (
        {"action": "limit", "at_most": 2, "per": "brand"},
        {"action": "pin", "items": ("sku6", "sku7", "sku8")},
    )
    shown = ids(ON, served(ON, home(*rules), limit=8))

    assert shown[:3] == ["sku6", "sku7", "sku8"]
    assert "Alta" not in {BRAND_OF[each] for each in shown[3:]}


@pytest.mark.slow
@given(st.lists(st.tuples(st.sampled_from(BRANDS), st.integers(0, 3)), min_size=8, max_size=24), st.integers(1, 3))
def test_an_item_that_one_limit_holds_back_uses_up_nothing_of_another(
    items: list[tuple[str, int]], at_most: int
) -> None:
    on = item_index(*[{"brand": brand, "category": f"C{category}"} for brand, category in items])
    rules = [{"action": "limit", "at_most": at_most, "per": per} for per in ("category", "brand")]
    order = ids(on, served(on, home(strategy="new"), limit=len(items)))
    counts: Counter[str] = Counter()
    expected: list[str] = []
    for item_id in order:
        brand, category = items[int(item_id[3:])]
        groups = [f"C{category}", brand] if brand else [f"C{category}"]
        if all(counts[group] < at_most for group in groups):
            counts.update(groups)
            expected.append(item_id)

    assert ids(on, served(on, home(*rules, strategy="new"), limit=len(items))) == expected
