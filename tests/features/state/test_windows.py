"""Panes of event time: each metric is counted for itself, in every pane that a window still reaches."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.definitions import ITEM_WINDOWS
from features.state import windows
from features.state.windows import ItemEffect, Pane
from tests.features.making import NOW_MS

encode = msgspec.msgpack.encode
ITEM_IDS = st.sampled_from(["a", "b", "c"])
COUNTS = st.lists(st.integers(1, 10**6), min_size=len(windows.METRICS), max_size=len(windows.METRICS))


@pytest.mark.slow
@given(st.lists(st.dictionaries(ITEM_IDS, COUNTS), max_size=5))
def test_stored_panes_add_up_metric_by_metric(panes: list[dict[str, list[int]]]) -> None:
    stored = [{item_id.encode(): encode(counts) for item_id, counts in pane.items()} for pane in panes]

    sums = windows.sum_counts(stored)

    for item_id in ("a", "b", "c"):
        for metric in range(len(windows.METRICS)):
            assert sums.get(item_id, [0] * len(windows.METRICS))[metric] == sum(
                pane[item_id][metric] for pane in panes if item_id in pane
            )


@given(st.lists(st.tuples(ITEM_IDS, st.integers(0, 7 * 86_400_000), st.integers(0, 2), st.integers(1, 9)), max_size=20))
def test_every_window_counts_every_effect_that_it_reaches(effects: list[tuple[str, int, int, int]]) -> None:
    made = [ItemEffect(item_id, NOW_MS - age_ms, metric, n, 7 * n) for item_id, age_ms, metric, n in effects]

    panes = windows.pane_increments(made, now_ms=NOW_MS)

    for _, width_s, _ in ITEM_WINDOWS:
        first = windows.first_pane(width_s, now_ms=NOW_MS)
        reached = [one for one in made if one.at_ms // (width_s * 1_000) >= first]
        sums = [0] * len(windows.METRICS)
        for pane, items in panes.items():
            if pane.width_s == width_s:
                for counts in items.values():
                    sums = windows.add_counts(sums, counts)
        expected = [sum(one.amount for one in reached if one.metric == metric) for metric in range(3)]
        assert sums == [*expected, sum(one.revenue for one in reached), 0, 0, 0, 0]


def test_a_window_is_its_current_pane_and_those_that_cover_its_length() -> None:
    now_ms = 10 * 60_000 + 30_000  # half a minute into pane 10

    assert windows.first_pane(60, now_ms=now_ms) == 5
    late = ItemEffect("a", 4 * 60_000, windows.VIEWS, 1, 0)
    assert Pane(60, 4) not in windows.pane_increments([late], now_ms=now_ms)
    assert Pane(300, 0) in windows.pane_increments([late], now_ms=now_ms)
