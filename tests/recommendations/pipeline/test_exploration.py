"""New items get the share of positions that a placement gives them, and nothing else changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from recommendations.core.actions import RuleAction
from recommendations.core.chance import Chance, mask_of
from recommendations.core.deadline import Deadline
from recommendations.core.types import Ranked, RequestUser, RowArray
from recommendations.items.index import ItemIndex
from recommendations.pipeline.pipeline import recommend
from recommendations.pipeline.query import ListQuery, PlacementSpec
from recommendations.pipeline.rules.base import RuleSpec, compile_rule
from recommendations.pipeline.state import ListResult
from recommendations.ranking.rrf import FusionWeights
from recommendations.retrieval.base import ServingContext
from recommendations.retrieval.base import listed as listed_in_order
from tests.recommendations.worlds import DAY_US, NOW_MS, ids, item_index, served

PLACEMENT = PlacementSpec(name="home", strategy="for_you", size=10, exploration=0.3)
YESTERDAY = {"first_seen_us": NOW_MS * 1000 - DAY_US}


@pytest.fixture(scope="module")
def on() -> ItemIndex:
    """Forty old items, and twenty of yesterday, of which one is sold out."""
    old = [{"group_id": ""} for _ in range(40)]
    new = [dict(YESTERDAY) for _ in range(19)]
    return item_index(*old, *new, {**YESTERDAY, "stock": 0}, popular={f"sku{n}": 100.0 - n for n in range(40)})


def listed(on: ItemIndex, key: str, placement: PlacementSpec = PLACEMENT, *, now_ms: int = NOW_MS) -> list[str]:
    result = recommend(
        ListQuery(placement=placement, limit=10),
        RequestUser(key=key),
        ServingContext(item_index=on, model=None, now_ms=now_ms),
        deadline=Deadline.after(1_000),
    )
    return ids(on, result)


def is_new(item_id: str) -> bool:
    return int(item_id.removeprefix("sku")) >= 40


def test_new_items_get_their_share_of_the_positions_below_the_first(on: ItemIndex) -> None:
    positions = np.array([[is_new(item_id) for item_id in listed(on, f"a:{n}")] for n in range(400)])

    assert not positions[:, 0].any()
    assert positions[:, 1:].mean() == pytest.approx(0.3, abs=0.03)
    assert positions[:, 1:].mean(axis=0) == pytest.approx([0.3] * 9, abs=0.08)


def test_every_new_item_that_can_be_bought_gets_its_turn(on: ItemIndex) -> None:
    counts: dict[str, int] = {}
    for number in range(400):
        for item_id in filter(is_new, listed(on, f"a:{number}")):
            counts[item_id] = counts.get(item_id, 0) + 1

    assert counts.keys() == {f"sku{n}" for n in range(40, 59)}
    assert min(counts.values()) > 0.6 * np.mean(list(counts.values()))


def test_a_page_that_is_loaded_again_shows_the_same_and_an_hour_later_another_list(on: ItemIndex) -> None:
    later = [listed(on, f"a:{n}", now_ms=NOW_MS + 3_600_000) for n in range(20)]
    again = [listed(on, f"a:{n}") for n in range(20)]

    assert [listed(on, f"a:{n}") for n in range(20)] == again
    assert later != again


def test_without_a_share_the_list_is_what_it_was(on: ItemIndex) -> None:
    assert listed(on, "a:1", replace(PLACEMENT, exploration=0.0)) == [f"sku{n}" for n in range(10)]


def test_given_items_are_never_added_to(on: ItemIndex) -> None:
    result = served(on, replace(PLACEMENT, strategy="rerank", fallback="empty"), candidates=("sku1", "sku2", "sku3"))

    assert set(ids(on, result)) <= {"sku1", "sku2", "sku3"}


def test_a_list_says_which_of_its_items_are_there_by_chance(on: ItemIndex) -> None:
    result = recommend(
        ListQuery(placement=replace(PLACEMENT, exploration=0.5), limit=10),
        RequestUser(key="a:1"),
        ServingContext(item_index=on, model=None, now_ms=NOW_MS),
        deadline=Deadline.after(1_000),
    )

    by_reason = dict(zip(ids(on, result), result.reasons, strict=True))
    assert {item_id for item_id, reason in by_reason.items() if reason == "exploration"} == set(
        filter(is_new, by_reason)
    )
    assert "exploration" in by_reason.values()


def test_a_list_knows_what_chance_had_to_do_with_each_slot(on: ItemIndex) -> None:
    pin = RuleSpec(rule_id=1, name="pin", action=RuleAction.PIN, items=("sku7",), position=3)

    def chance(placement: PlacementSpec, limit: int = 10) -> tuple[ListResult, Chance | None]:
        made = recommend(
            ListQuery(placement=placement, limit=limit),
            RequestUser(key="a:1"),
            ServingContext(item_index=on, model=None, now_ms=NOW_MS),
            deadline=Deadline.after(1_000),
        )
        return made, made.chance

    made, found = chance(replace(PLACEMENT, exploration=0.5, rules=(compile_rule(pin),)))
    assert found is not None
    assert (found.permille, found.among) == (500, 19)
    assert found.fixed == mask_of([0, 2]), "the first, and the pin"
    assert found.drawn == mask_of([slot for slot, item_id in enumerate(ids(on, made)) if is_new(item_id)])
    assert chance(replace(PLACEMENT, exploration=0.0))[1] is None
    assert chance(PLACEMENT, limit=25)[1] is None, "there are fewer new items than slots"


def test_what_a_shopper_excluded_is_not_brought_in_by_chance(on: ItemIndex) -> None:
    new = tuple(f"sku{n}" for n in range(40, 59))
    for number in range(20):
        result = recommend(
            ListQuery(placement=PLACEMENT, limit=10, exclude=new),
            RequestUser(key=f"a:{number}"),
            ServingContext(item_index=on, model=None, now_ms=NOW_MS),
            deadline=Deadline.after(1_000),
        )
        assert not any(map(is_new, ids(on, result)))


@pytest.mark.slow
@pytest.mark.parametrize(("share", "is_found"), [(0.0, False), (0.1, True)])
def test_the_best_item_of_a_shop_is_found_although_it_came_last(share: float, is_found: bool) -> None:
    """Shoppers click one in twenty of what they see, and every second time on the new item."""
    rng = np.random.default_rng(0)
    clicks = {f"sku{number}": 40.0 - number for number in range(40)}
    for round_number in range(6):
        on = item_index(*[{}] * 40, dict(YESTERDAY), popular=clicks)
        for number in range(200):
            key, now_ms = f"a:{number}", NOW_MS + round_number * 3_600_000
            for item_id in listed(on, key, replace(PLACEMENT, exploration=share), now_ms=now_ms):
                if rng.random() < (0.5 if is_new(item_id) else 0.05):
                    clicks[item_id] = clicks.get(item_id, 0.0) + 1

    assert (max(clicks, key=clicks.__getitem__) == "sku40") is is_found


class Knowing:
    """A model that knows items up to a row, and proposes them in the order of their rows."""

    version, sources, ranked_sources = "v", ("walk",), ()
    fusion = FusionWeights(weights={"walk": 1.0}, k=10.0)

    def __init__(self, n: int) -> None:
        self._n = n

    def indices(self, rows: Sequence[int]) -> list[int]:
        return [row + 1 if row < self._n else 0 for row in rows]

    def knows(self, rows: Sequence[int]) -> bool:
        return any(self.indices(rows))

    def candidates(
        self, newest_first: Sequence[int], *, sources: tuple[str, ...], given: RowArray | None
    ) -> tuple[dict[str, Ranked], None]:
        return {"walk": listed_in_order(np.arange(1, self._n, dtype=np.int32))}, None


@pytest.mark.parametrize(("limit", "expected"), [(6, 0), (7, 1), (13, 1), (14, 2)])
@pytest.mark.parametrize("looks_at_new", [True, False])
def test_new_items_like_what_the_user_looks_at_stand_at_the_end(limit: int, expected: int, looks_at_new: bool) -> None:
    old = [{"category": "Shoes"} for _ in range(60)]
    new = [{**YESTERDAY, "category": "Shoes"} for _ in range(4)] + [{**YESTERDAY, "category": "Hats"}]
    on = item_index(*old, *new)
    seen = ("sku0", "sku60") if looks_at_new else ("sku0", "sku1")
    user = RequestUser(key="a:1", recents=seen, session=seen)

    placement = PlacementSpec(name="home", strategy="for_you", size=limit)
    result = served(on, placement, user=user, limit=limit, model=Knowing(60))

    found = ids(on, result)
    arrived = [item_id for item_id in found if int(item_id.removeprefix("sku")) > 60]
    assert arrived == (found[limit - expected :] if looks_at_new else [])
    assert "sku64" not in found  # new, and like nothing that was looked at
