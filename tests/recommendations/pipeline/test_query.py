"""Two queries share a cached list only when their rows must be the same."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, Final

from recommendations.filters import language
from recommendations.pipeline.query import ListQuery, PlacementSpec

QUERY: Final = ListQuery(placement=PlacementSpec(name="home"), limit=4)
OTHERS: Final[dict[str, Any]] = {
    "placement": PlacementSpec(name="other"), "limit": 5, "context_items": ("sku1",), "cart": ("sku1",),
    "exclude": ("sku1",), "filter": "price < 50", "candidates": ("sku1",),
    "arms": (("x7", 1),),
}  # fmt: skip
OF_THE_REPLY: Final[dict[str, Any]] = {"fields": ("item_id",), "locale": "de", "explains": True}


def test_what_decides_the_rows_is_in_the_key() -> None:
    for name, value in OTHERS.items():
        assert replace(QUERY, **{name: value}).cache_key != QUERY.cache_key, name


def test_what_only_changes_the_reply_is_not() -> None:
    for name, value in OF_THE_REPLY.items():
        assert replace(QUERY, **{name: value}).cache_key == QUERY.cache_key, name


def test_every_field_is_one_of_both() -> None:
    # Of ``filter``; of the visit only what rules ask for; of the arms.
    parsed = {"condition", "visit", "model"}
    assert {field.name for field in fields(ListQuery)} == OTHERS.keys() | OF_THE_REPLY.keys() | parsed
    assert language.parse(OTHERS["filter"]) == language.parse("price < 50")
