"""What a site knows is counted apart from what callers make up, and of that a bounded number is told apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import keys
from features.state import batch as micro
from features.state import windows
from features.state.attribution import label_of
from features.state.batch import Applied, StoredBatch
from features.state.counting.unknown import (
    MIN_UNKNOWN_ITEMS,
    UNKNOWN_LISTS,
    UNKNOWN_WITHOUT_CATALOGUE,
    SiteKeys,
    max_unknown_items,
)
from tests.features.making import LATENESS_MS, NOW_MS, SITE, event, record, wire
from tracking.log.base import Record

SHOP = SiteKeys(items={"mug", "mugs"}, n_items=1, placements={"home"})
DAY = NOW_MS // 86_400_000


def applied(*events: dict[str, object], known: SiteKeys | None = SHOP) -> Applied:
    parsed = micro.parse_batch(0, [Record(0, "1", *wire(record(*events)), NOW_MS)])
    stored = StoredBatch(None, dict.fromkeys(parsed.by_user), dict.fromkeys(parsed.by_user), {})
    return micro.apply_batch(parsed, stored, lateness_ms=LATENESS_MS, keys_of_site=lambda site: known)


def counted(done: Applied, key: str) -> dict[str, list[int]]:
    return done.increments[key].amounts if key in done.increments else {}


@pytest.mark.parametrize("width_s", windows.WIDTHS_S)
def test_items_of_the_catalogue_and_their_groups_are_counted_apart_from_others(width_s: int) -> None:
    done = applied(event("view_item", items=["mug", "mugs", "made-up"]))

    pane = NOW_MS // 1000 // width_s
    assert sorted(counted(done, keys.item_pane(0, SITE, width_s, pane))) == ["mug", "mugs"]
    assert sorted(counted(done, keys.unknown_pane(0, SITE, width_s, pane))) == ["made-up"]


def test_before_the_catalogue_is_loaded_everything_is_counted() -> None:
    done = applied(event("view_item", items=["mug", "made-up"]), known=None)

    assert sorted(counted(done, keys.item_pane(0, SITE, 60, NOW_MS // 60_000))) == ["made-up", "mug"]
    assert not any("unknown" in key for key in done.increments)


def test_only_unknown_items_have_a_bound_and_the_widest_pane_comes_first() -> None:
    done = applied(event("view_item", items=["mug", "made-up"]))

    bounded = [(key, done.bounds[key]) for key in done.increments if key in done.bounds]
    assert [key.split(":")[4] for key, _ in bounded] == [str(width) for width in sorted(windows.WIDTHS_S, reverse=True)]
    assert {bound.ranked_by for _, bound in bounded} == {bounded[0][0]}
    assert {bound.most for _, bound in bounded} == {MIN_UNKNOWN_ITEMS}


def test_a_list_that_is_no_placement_is_bounded_and_one_that_is_never() -> None:
    seen = [event("view_item_list", items=["mug"], item_list_id=name) for name in ("home", "made|up", "other")]

    done = applied(*seen)

    placement, unknown = keys.placement_day(0, SITE, DAY), keys.unknown_lists(0, SITE, DAY)
    assert sorted(counted(done, placement)) == [label_of(SITE, item_list_id="home", rec_id=None)]
    assert sorted(counted(done, unknown)) == ["made/up|||", "other|||"]
    assert placement not in done.bounds
    assert done.bounds[unknown].most == UNKNOWN_LISTS


@given(st.integers(1, 10**7))
def test_a_catalogue_may_bring_a_share_of_itself_at_once(n_items: int) -> None:
    assert max_unknown_items(n_items) >= MIN_UNKNOWN_ITEMS
    assert max_unknown_items(n_items) * 16 <= max(n_items, 16 * MIN_UNKNOWN_ITEMS)


def test_a_site_without_a_catalogue_tells_more_unknown_items_apart() -> None:
    assert max_unknown_items(0) == UNKNOWN_WITHOUT_CATALOGUE > max_unknown_items(1)
