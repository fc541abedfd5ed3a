"""Lists of one shopper are alike: intervals by groups of shoppers hold, those by lists would not."""

from __future__ import annotations

import numpy as np
import pytest

from recommendations.experiments.statistics.comparison import at_any_look
from recommendations.experiments.statistics.guardrails import (
    GROUPS,
    KNOWN_LISTS,
    ServedLists,
    is_known,
    list_difference,
    mean_difference,
    slow_share,
)
from recommendations.experiments.statistics.samples import Sample, of_share


def test_items_differ_by_category_and_brand_and_unknown_ones_from_everything() -> None:
    assert list_difference([], []) is None
    assert list_difference([3], [7]) is None
    assert list_difference([3, 3, 3], [7, 7, 7]) == pytest.approx(0.0)
    assert list_difference([1, 2, 3], [1, 2, 3]) == pytest.approx(1.0)
    assert list_difference([1, 2, 3], [7, 7, 7]) == pytest.approx(0.6)
    assert list_difference([0, 0], [0, 0]) == pytest.approx(1.0)
    assert list_difference([1, 1, 2, 2], [5, 6, 7, 8]) == pytest.approx(0.6 * 4 / 6 + 0.4)


def test_few_lists_or_few_shoppers_say_nothing() -> None:
    lists = np.zeros(GROUPS, np.int64)
    lists[:2] = KNOWN_LISTS
    assert not is_known(lists)
    assert not is_known(np.ones(GROUPS, np.int64))
    assert is_known(np.full(GROUPS, KNOWN_LISTS // GROUPS + 1))


def test_no_slow_list_at_all_is_known_too() -> None:
    control = slow_share(ServedLists(lists=np.full(GROUPS, 100)))
    treated = slow_share(ServedLists(lists=np.full(GROUPS, 100), slow=np.full(GROUPS, 30)))
    found = at_any_look(control, treated, relative=False)
    assert 0.2 < float(found.lower) < 0.3 < float(found.upper)


def test_differences_are_shares_again() -> None:
    found = mean_difference(ServedLists(compared=np.full(GROUPS, 10), difference=np.arange(GROUPS) * 100))
    assert float(found.mean) == pytest.approx(31.5 / 100)
    assert float(found.n) == 10 * GROUPS


def _arm(chance: np.random.Generator) -> list[ServedLists]:
    """Return what was served until each of 28 days: to 40 shoppers a day, some of whom are slow, of 20 lists each."""
    days, total = [], ServedLists()
    for _ in range(28):
        groups = chance.integers(0, GROUPS, 40)
        slow = chance.binomial(20, np.where(chance.random(40) < 0.2, 0.9, 0.01))
        total = ServedLists(
            lists=total.lists + np.bincount(groups, minlength=GROUPS) * 20,
            slow=total.slow + np.bincount(groups, weights=slow, minlength=GROUPS).astype(np.int64),
        )
        days.append(total)
    return days


def _rings(samples: list[tuple[Sample, Sample]]) -> bool:
    found = [at_any_look(control, treated, relative=False) for control, treated in samples]
    return any(float(one.lower) > 0 or float(one.upper) < 0 for one in found)


@pytest.mark.slow
def test_equal_arms_that_are_looked_at_daily_raise_few_false_alarms() -> None:
    chance = np.random.default_rng(14)
    by_groups = by_lists = 0
    for _ in range(300):
        days = list(zip(_arm(chance), _arm(chance), strict=True))
        by_groups += _rings([(slow_share(left), slow_share(right)) for left, right in days])
        by_lists += _rings(
            [tuple(of_share(arm.lists.sum(), arm.slow.sum()) for arm in pair) for pair in days]  # type: ignore[misc]
        )
    assert by_groups <= 0.05 * 300
    assert by_lists > 0.3 * 300
