"""A page asks its model once for what its lists have in common, and gets what the model itself would say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from recommendations.core.types import NOBODY, Ranked
from recommendations.exceptions import ModelUnavailable
from recommendations.ranking.rrf import FusionWeights
from recommendations.retrieval.once_a_page import OnceAPage


class Model:
    """Proposes the given rows again, and counts how often it is asked."""

    version, sources, ranked_sources = "v1", ("next", "walk"), ("next",)
    fusion = FusionWeights(weights={"next": 1.0}, k=60.0)

    def __init__(self) -> None:
        self.asked = 0
        self.ranked = 0
        self.fails = False

    def indices(self, rows: Sequence[int]) -> list[int]:
        return [row + 1 for row in rows]

    def knows(self, rows: Sequence[int]) -> bool:
        return bool(rows)

    def candidates(self, newest_first: Sequence[int], *, sources: tuple[str, ...], given: Any) -> Any:
        self.asked += 1
        if self.fails:
            raise ModelUnavailable("no session")
        rows = np.asarray([*newest_first, *(() if given is None else given)], np.int32)
        answer = {name: Ranked(rows=rows, scores=np.ones(len(rows), np.float32)) for name in sources}

        def ranked(user: Any, counts: Any, objectives: Any) -> Any:
            self.ranked += 1
            return rows[::-1]

        return answer, ranked


def test_the_same_is_asked_once_and_anything_else_again() -> None:
    model = Model()
    page = OnceAPage(model)
    asked = [((1, 2), ("next",), None), ((2, 1), ("next",), None), ((1, 2), ("walk",), None)]
    asked += [((1, 2), ("next",), np.asarray([5], np.int32)), ((1, 2), ("next",), np.asarray([6], np.int32))]
    for _ in range(3):
        for rows, sources, given in asked:
            found, ranker = page.candidates(list(rows), sources=sources, given=given)
            expected, order = Model().candidates(rows, sources=sources, given=given)
            assert list(found) == list(expected)
            assert all(found[name].rows.tolist() == expected[name].rows.tolist() for name in found)
            assert ranker is not None
            assert ranker(NOBODY, {}, ()).tolist() == order(NOBODY, {}, ()).tolist()
    assert (model.asked, model.ranked) == (len(asked), len(asked))


def test_lists_that_are_ordered_for_something_else_are_ordered_apart() -> None:
    model = Model()
    _, ranker = OnceAPage(model).candidates([1, 2], sources=("next",), given=None)
    assert ranker is not None
    for weights in ((), (("click", 1.0),), (), (("click", 2.0),), (("click", 1.0),)):
        ranker(NOBODY, {}, weights)
    assert model.ranked == 3


def test_one_list_cannot_change_what_the_next_one_gets() -> None:
    page = OnceAPage(Model())
    page.candidates([1], sources=("next",), given=None)[0].clear()
    assert list(page.candidates([1], sources=("next",), given=None)[0]) == ["next"]


def test_a_failure_is_not_kept() -> None:
    model = Model()
    page = OnceAPage(model)
    model.fails = True
    with pytest.raises(ModelUnavailable):
        page.candidates([1], sources=("next",), given=None)
    model.fails = False
    assert page.candidates([1], sources=("next",), given=None)[0]


def test_the_rest_is_the_models_own() -> None:
    model = Model()
    page = OnceAPage(model)
    assert (page.version, page.sources, page.ranked_sources, page.fusion) == (
        model.version, model.sources, model.ranked_sources, model.fusion,
    )  # fmt: skip
    assert (page.indices([1]), page.knows([])) == ([2], False)
