"""Dataclasses of arrays come back from a folder as they were, or are refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from recommendations.ranking.rrf import FusionWeights
from recommendations.training.data.building import log_from_sessions
from recommendations.training.data.dataset import SessionLog
from recommendations.training.fitted import Popularity
from recommendations.training.stored import TREE_NAME, Unreadable, load, store
from tests.recommendations.training.conftest import aisle_sessions


def test_what_is_stored_is_what_comes_back(tmp_path: Path) -> None:
    log = log_from_sessions(aisle_sessions(30, seed=1))
    store((log, FusionWeights(weights={"a": np.float32(0.5)}, k=3.0), None, "text", True), tmp_path)

    found = load(tmp_path, (SessionLog, FusionWeights))

    assert found[1:] == (FusionWeights(weights={"a": 0.5}, k=3.0), None, "text", True)
    assert found[0].item_ids == log.item_ids
    np.testing.assert_array_equal(found[0].items, log.items)
    assert found[0].items.dtype == log.items.dtype
    assert found[0].prices is None


def test_one_array_used_twice_is_stored_once_and_comes_back_as_one(tmp_path: Path) -> None:
    counts = np.arange(3, dtype=np.float32)
    store(Popularity(recent=counts, all_time=counts), tmp_path)

    found = load(tmp_path, (Popularity,))

    assert len(list(tmp_path.glob("*.npy"))) == 1
    assert found.recent is found.all_time


def test_what_is_no_plain_value_is_not_stored(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="set cannot be stored"):
        store(({1, 2},), tmp_path)


@pytest.mark.parametrize("damage", ["no tree", "no array", "half an array", "other fields", "another class"])
def test_a_damaged_folder_is_unreadable(tmp_path: Path, damage: str) -> None:
    store(Popularity(recent=np.ones(40), all_time=np.zeros(40)), tmp_path)
    tree, array = tmp_path / TREE_NAME, tmp_path / "0.npy"
    if damage == "no tree":
        tree.unlink()
    elif damage == "no array":
        array.unlink()
    elif damage == "half an array":
        array.write_bytes(array.read_bytes()[:200])
    elif damage == "other fields":
        found = json.loads(tree.read_text())
        found["fields"]["ever"] = found["fields"].pop("all_time")
        tree.write_text(json.dumps(found))

    with pytest.raises(Unreadable, match=str(tmp_path)):
        load(tmp_path, (FusionWeights,) if damage == "another class" else (Popularity,))
