"""The vector that a request gets is the vector that the same moment would have had in training."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from features.state import states
from features.state.states import ProfileState
from features.state.user_features import StateBlobs, merge
from recommendations.graphs.export import export_model_set
from recommendations.graphs.fold_in import Target
from recommendations.inference import ModelSet
from recommendations.items.index import ItemIndex
from recommendations.ranking.batch import ranking_input
from recommendations.ranking.columns import AFFINITY_COLUMNS, COLUMNS, POPULARITY_COLUMNS, USER_COLUMNS
from recommendations.ranking.online import one_ranking_input
from recommendations.retrieval import model as served
from recommendations.retrieval.model import RANKED_SOURCES, ModelLink
from recommendations.training.data.building import log_from_frame
from recommendations.training.data.history import DAY_MS, Known, LogPopularity, Orders
from recommendations.training.data.items import ItemFeatures
from recommendations.training.data.split import points_at_every_position
from recommendations.training.fit.sources import fit_sources, list_sources
from recommendations.training.learning import RANKER_SOURCES
from recommendations.training.settings import TrainingSettings
from recommendations.training.train import train_model_set
from tests.recommendations.worlds import catalogue, item_row

N_ITEMS = 40
SETTINGS = TrainingSettings(
    factors=8, als_iterations=3, trees=5, min_queries=10, tuning_queries=50, num_threads=1, held_out=0.0
)
CATALOGUE = {
    f"sku{n}": ItemFeatures(category=f"Hall {n % 3} > Row {n % 7}", brand=f"B{n % 4}", price=1.0 + n)
    for n in range(N_ITEMS)
}


def history() -> pl.DataFrame:
    """Return weeks of sessions, and at the end eva, who ordered twice and looks at two items."""
    rng = np.random.default_rng(4)
    rows = []
    for session in range(300):
        start = int(rng.integers(0, 20 * DAY_MS))
        first = int(rng.integers(N_ITEMS))
        for step in range(int(rng.integers(2, 5))):
            kind = "purchase" if rng.random() < 0.2 else "view"
            rows.append(
                (f"u{session % 60}", f"s{session}", start + step * 60_000, f"sku{(first + step) % N_ITEMS}", kind)
            )
    now = 21 * DAY_MS
    rows += [
        ("eva", "e1", now - 3 * DAY_MS, "sku5", "purchase"),
        ("eva", "e2", now - 2 * DAY_MS, "sku9", "purchase"),
        ("eva", "e3", now - 2_000, "sku7", "view"),
        ("eva", "e3", now - 1_000, "sku8", "view"),
        ("eva", "e3", now, "sku9", "view"),
    ]
    frame = pl.DataFrame(rows, schema=["user_key", "session_id", "occurred_at_ms", "item_id", "kind"], orient="row")
    return frame.with_columns(
        pl.col("item_id").str.slice(3).cast(pl.Float64).add(1.0).alias("price"), pl.lit(1).alias("quantity")
    )


def test_the_served_vector_is_the_training_vector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = log_from_frame(history())
    fitted = train_model_set(log, settings=SETTINGS, items=CATALOGUE)
    export_model_set(fitted, tmp_path / "v1", targets=frozenset({Target.CPU}))
    log = log.reindexed(fitted.item_ids)
    points = points_at_every_position(log)
    last = points.take(np.array([len(points) - 1]))
    now_ms = int(last.asked_at_ms[0])
    known = Known.before(last, log=log, orders=Orders(log))
    sources = fit_sources(log, settings=SETTINGS, items=CATALOGUE)
    lists = list_sources(sources, last.histories, names=RANKER_SOURCES)
    trained = ranking_input(lists, last.histories, sources.tables, users=known.users, popularity=known.popularity)

    item_index = _item_index(fitted.item_ids, LogPopularity(log, np.array([now_ms])))
    link = ModelLink(ModelSet.load(tmp_path / "v1", providers="cpu"), item_index, version="v1")
    given: list[tuple[NDArray[np.int32], NDArray[np.float32]]] = []
    monkeypatch.setattr(
        served, "one_ranking_input", lambda *args, **kept: given.append(one_ranking_input(*args, **kept)) or given[0]
    )
    newest_first = item_index.sequence([fitted.item_ids[i] for i in last.histories[0][::-1]])
    answer = link.retrieve(newest_first, sources=tuple(RANKED_SOURCES), k=100)
    link.rank(answer, k=20, user=_eva(now_ms, known), counts=item_index.counts)

    items, features = given[0]
    assert items.tolist() == trained.items.tolist()
    np.testing.assert_allclose(features, trained.features, rtol=2e-3, atol=1e-4)
    told = [COLUMNS.index(name) for name in (*AFFINITY_COLUMNS, *USER_COLUMNS, *POPULARITY_COLUMNS)]
    assert all(len(np.unique(trained.features[:, i])) > 1 or trained.features[0, i] > 0 for i in told)


def _item_index(item_ids: tuple[str, ...], popularity: LogPopularity) -> ItemIndex:
    rows = catalogue(
        *[
            item_row(
                n,
                category=CATALOGUE[f"sku{n}"].category,
                brand=CATALOGUE[f"sku{n}"].brand,
                price_minor=100 * (n + 1),
            )
            for n in range(N_ITEMS)
        ]
    )
    index_of = {item_id: index for index, item_id in enumerate(item_ids)}
    items = np.array([index_of.get(item_id or "", 0) for item_id in rows.item_ids], np.int32)
    day, week = popularity(np.zeros(len(items), np.int64), items)
    return ItemIndex(rows, counts={"24h": day, "7d": week})


def _eva(now_ms: int, known: Known) -> object:
    """Return eva as the stream worker and the run of segments would have left her."""
    profile = ProfileState(newest_ms=now_ms, orders=2, revenue=1_600, last_purchase_ms=now_ms - 2 * DAY_MS)
    assert known.users is not None
    scores = known.users.columns[0, 3:6].astype(int).tolist()
    return merge(
        [StateBlobs(session=None, profile=states.encode(profile), segment=_segment(scores))],
        now_ms=now_ms,
    )


def _segment(scores: list[int]) -> bytes:

    return msgspec.msgpack.encode(["loyal", *scores])
