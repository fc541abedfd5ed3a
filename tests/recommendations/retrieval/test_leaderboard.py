"""Who leads: the largest finite values of what may be shown, one of each product, of equal ones the more popular."""

from __future__ import annotations

import numpy as np

from recommendations.core.deadline import Deadline
from recommendations.core.types import NOBODY
from recommendations.filters import language
from recommendations.filters.formula import parse
from recommendations.pipeline.pipeline import recommend
from recommendations.pipeline.query import ListQuery, PlacementSpec
from recommendations.retrieval.base import ServingContext
from recommendations.retrieval.leaderboard import LISTED, Leaders, leaders
from tests.recommendations.worlds import NOW_MS, item_index


def ids(on: object, ranked: object) -> list[str]:
    return [on.item_id(row) for row in ranked.rows.tolist()]  # type: ignore[attr-defined]


def test_the_largest_values_lead_and_what_has_none_or_may_not_be_shown_is_left_out() -> None:
    on = item_index({}, {"stock": 0}, {}, {}, {})
    value = np.array([1.0, 99.0, np.nan, 5.0, np.inf])

    found = leaders(parse("x", known=["x"]), on, lambda name: value)

    assert ids(on, found) == ["sku3", "sku0"]
    assert found.scores.tolist() == [5.0, 1.0]
    assert (found.rows.dtype, found.scores.dtype) == (np.int32, np.float32)


def test_of_equal_ones_the_more_popular_leads_and_of_variants_one() -> None:
    on = item_index({"group_id": "shoe"}, {"group_id": "shoe"}, {}, {}, popular={"sku3": 9.0, "sku2": 1.0})

    found = leaders(parse("x", known=["x"]), on, lambda name: np.array([7.0, 8.0, 2.0, 2.0]))

    assert ids(on, found) == ["sku1", "sku3", "sku2"]


def test_nobody_leads_where_nothing_has_a_value_and_long_boards_are_cut() -> None:
    on = item_index(n=LISTED + 5)

    assert len(leaders(parse("x", known=["x"]), on, lambda name: np.full(on.n_rows, np.nan))) == 0
    assert len(leaders(parse("x", known=["x"]), on, lambda name: np.arange(on.n_rows, dtype=float))) == LISTED


def test_a_placement_lists_the_leaders_that_its_condition_lets_through() -> None:
    on = item_index(*[{"category": "Shoes" if number % 2 else "Hats"} for number in range(300)])
    board = Leaders("dear", "dear", leaders(parse("price", known=["price"]), on, lambda name: on.catalogue.price))
    text = 'category = "Hats" and price < 20'
    spec = PlacementSpec(
        name="p", strategy="trending", sources=("dear",), filter=text, condition=language.parse(text), fallback="empty"
    )
    context = ServingContext(item_index=on, model=None, now_ms=NOW_MS, own={"dear": board})

    made = recommend(ListQuery(placement=spec, limit=3), NOBODY, context, deadline=Deadline.after(60_000.0))

    assert [on.item_id(row) for row in made.rows] == ["sku18", "sku16", "sku14"]
    assert set(made.reasons) == {"dear"}
