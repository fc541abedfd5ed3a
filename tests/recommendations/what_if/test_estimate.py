"""What a draft may change, from past clicks: the right sign and size in a world of which everything is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from recommendations.what_if.estimate import ItemCounts, expected

N = 40
APPEAL = np.linspace(0.01, 0.09, N)


def counts(shown: float = 20_000.0, **changes: Any) -> ItemCounts:
    seen = np.full(N, shown)
    clicks = np.round(seen * APPEAL)
    values = {
        "impressions": seen, "clicks": clicks, "orders": np.round(clicks * 0.1), "price": np.full(N, 20.0),
        "margin": np.full(N, 0.4), **changes,
    }  # fmt: skip
    return ItemCounts(**values)


def test_the_same_lists_are_expected_to_bring_the_same() -> None:
    lists = [tuple(range(number, number + 4)) for number in range(20)]
    found = expected(lists, lists, counts())

    assert found is not None
    assert found.clicks.expected == pytest.approx(0.0)
    assert found.clicks.low == found.clicks.high == pytest.approx(0.0)


def test_better_items_are_expected_to_be_clicked_as_much_more_as_they_are_better() -> None:
    before, after = [(0,)] * 200, [(39,)] * 200
    found = expected(before, after, counts())

    assert found is not None
    assert found.clicks.expected == pytest.approx(8.0, rel=0.05)  # 9 % in place of 1 %
    assert found.clicks.low < 8.0 < found.clicks.high
    assert found.revenue is not None
    assert found.margin is not None
    assert found.revenue.expected == pytest.approx(8.0, rel=0.1)


@pytest.mark.slow
def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    seen = np.full(N, 400.0)
    before = [tuple(rng.choice(N, 4, replace=False).tolist()) for _ in range(60)]
    after = [tuple(rng.choice(N, 4, replace=False).tolist()) for _ in range(60)]
    weight = 1 / np.log2(np.arange(4) + 2)
    truth = sum(APPEAL[list(each)] @ weight for each in after) / sum(APPEAL[list(each)] @ weight for each in before) - 1
    hits = 0
    for seed in range(40):
        found = expected(
            before, after, counts(impressions=seen, clicks=rng.binomial(400, APPEAL).astype(float)), seed=seed
        )
        assert found is not None
        hits += found.clicks.low <= truth <= found.clicks.high
    assert hits >= 36


def test_nothing_is_said_where_nothing_was_clicked_or_bought() -> None:
    assert expected([(1,)], [(2,)], counts(clicks=np.zeros(N))) is None
    assert expected([], [], counts()) is None
    found = expected([(1,)], [(2,)], counts(orders=np.zeros(N), margin=np.full(N, np.nan)))
    assert found is not None
    assert (found.revenue, found.margin) == (None, None)
    assert found.sentence.startswith("Expected: clicks ")
