"""The contract of a shop's own model: what keeps it is run, what breaks it is refused with the remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from recommendations.exceptions import OwnModelRefused
from recommendations.inference.own_model import OwnModel
from tests.recommendations.own_models import N_ITEMS, NEIGHBOURS, write_model


def test_a_model_that_keeps_the_contract_answers_with_numbers_and_scores(tmp_path: Path) -> None:
    write_model(tmp_path)
    model = OwnModel(tmp_path)

    items, scores = model.run(np.array([2, 5]))
    nothing, _ = model.run(np.zeros(0, np.int64))

    assert items.tolist() == [3, 4]
    assert scores.tolist() == [2.0, 1.0]
    assert scores.dtype == np.float32
    assert len(nothing) == 0
    assert len(model.item_ids) == N_ITEMS
    assert model.median_ms() > 0


def _table(row: int, values: list[int]) -> Any:
    table = NEIGHBOURS.copy()
    table[row] = values
    return table


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"input": "ids"}, "one input, 'session', of int64"),
        ({"outputs": ("items", "points")}, "'scores' is missing"),
        ({"score_type": TensorProto.DOUBLE}, "scores of float64; they are to be int64 .or int32. and float32"),
        ({"table": _table(1, [2, 7])}, "answers item 7 .* has 6 lines"),
        ({"table": _table(6, [-1, 2])}, "6 lines, and 0 is none"),
        ({"table": _table(1, [2, 2])}, "answers an item twice"),
        ({"scores": [[1.0, 2.0]] * 7}, "not finite and falling; sort by them"),
        ({"scores": [[float("nan"), 1.0]] * 7}, "not finite and falling"),
        ({"is_random": True}, "twice and not alike; leave out dropout"),
        ({"scores": [[1.0]] * 7}, "both are to be .batch, k."),
        ({"ids": ["a", "b", "a"]}, "names an item twice"),
        ({"ids": ["a", "", "b"]}, "line 2: an item id has 1 to 128 characters"),
    ],
)
def test_what_breaks_the_contract_is_refused_with_the_remedy(
    tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    write_model(tmp_path, **changes)

    with pytest.raises(OwnModelRefused, match=says):
        OwnModel(tmp_path)


def test_what_is_no_graph_or_no_list_of_items_is_refused(tmp_path: Path) -> None:
    model, items = write_model(tmp_path)
    for path, content, says in (
        (items, b"\xff\xfe", "in UTF-8"), (items, b"", "has 0 lines"), (model, b"", "has 0 bytes"),
        (model, b"no graph", "no graph that ONNX Runtime runs"),
    ):  # fmt: skip
        kept = path.read_bytes()
        path.write_bytes(content)
        with pytest.raises(OwnModelRefused, match=says):
            OwnModel(tmp_path)
        path.write_bytes(kept)
    assert OwnModel(tmp_path).item_ids[0] == "sku0"
