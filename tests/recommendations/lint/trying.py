"""Rules and targets that properties of the linter are tried with, on fourteen items that a test knows."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from recommendations.filters import language
from recommendations.pipeline.query import PlacementSpec
from recommendations.pipeline.rules.base import CompiledRule, RuleSpec, compile_rule
from tests.recommendations.worlds import item_index

ON = item_index(
    *[
        {
            "brand": ("Alta", "Brio", "Cirrus")[number % 3],
            "tags": ["new"] if number % 4 == 0 else [],
            "availability": "out_of_stock" if number % 7 == 6 else "in_stock",
        }
        for number in range(14)
    ]
)


TARGETS = st.one_of(
    st.fixed_dictionaries(
        {"items": st.lists(st.sampled_from([f"sku{n}" for n in range(16)]), min_size=1, max_size=8, unique=True)}
    ),
    st.fixed_dictionaries(
        {"brands": st.lists(st.sampled_from(["alta", "BRIO", "Cirrus", "Nobody"]), min_size=1, max_size=3)}
    ),
    st.fixed_dictionaries(
        {"condition": st.sampled_from(["price > 3", 'not tags has "new"', "price < 0", "price > 0"])}
    ),
    st.fixed_dictionaries({"price_from": st.sampled_from([1.0, 6.0, 99.0])}),
)
CONDITIONS = st.sampled_from(["", "price < 8", 'brand = "alta"', "price > 50"])


def compiled(rules: list[dict[str, Any]]) -> list[CompiledRule]:
    return [
        compile_rule(RuleSpec(rule_id=number, name=f"rule {number}", **rule)) for number, rule in enumerate(rules, 1)
    ]


def home(rules: list[CompiledRule], condition: str, size: int = 3) -> PlacementSpec:
    return PlacementSpec(
        name="home", strategy="new", size=size, filter=condition, rules=tuple(rules),
        condition=language.parse(condition) if condition else None,
    )  # fmt: skip
