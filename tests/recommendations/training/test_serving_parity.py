"""The vector that a request gets is the vector that the same moment would have had in training."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.archive.rows import rows_of
from features.archive.writer import ArchiveFolder
from features.state import states
from features.state.states import ProfileState
from features.state.user_features import StateBlobs, merge
from recommendations.graphs.export import export_model_set
from recommendations.graphs.fold_in import Target
from recommendations.inference import ModelSet
from recommendations.items.index import ItemIndex
from recommendations.ranking.batch import ranking_input
from recommendations.ranking.columns import (
    AFFINITY_COLUMNS,
    CANDIDATE_COLUMNS,
    COLUMNS,
    HABIT_COLUMNS,
    POPULARITY_COLUMNS,
    USER_COLUMNS,
)
from recommendations.ranking.online import one_ranking_input
from recommendations.ranking.session import one_session, session_columns
from recommendations.retrieval import model as served
from recommendations.retrieval.model import RANKED_SOURCES, ModelLink
from recommendations.serving.user import request_user
from recommendations.training.data.archive import read_archive
from recommendations.training.data.building import log_from_frame
from recommendations.training.data.dataset import InvalidDataset
from recommendations.training.data.history import DAY_MS, Known, LogPopularity, Orders
from recommendations.training.data.items import ItemFeatures
from recommendations.training.data.split import points_at_every_position
from recommendations.training.fit.sources import fit_sources, list_sources
from recommendations.training.learning import RANKER_SOURCES
from recommendations.training.settings import TrainingSettings
from recommendations.training.train import train_model_set
from tests.features.making import ANONYMOUS, MINUTE_MS, NOW_MS, SITE, States, event, record
from tests.recommendations.worlds import catalogue, item_row
from tracking.access.identity import Identity
from tracking.contract.events import EventRecord

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


@pytest.mark.slow
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


WHO = Identity(anonymous_id=ANONYMOUS, user_id=None)
GAPS_MS = (0, 0, 1, 1_000, 60_000, 29 * MINUTE_MS, 31 * MINUTE_MS)
WITH_ITEMS = (
    *("view_item", "view_item", "view_item", "add_to_cart", "add_to_wishlist", "purchase", "select_item"),
    *("view_item_list", "remove_from_cart"),
)


@st.composite
def visits(draw: st.DrawFn) -> list[EventRecord]:
    """Return what one browser sends, whose shopper may log in on the way; a pause of 30 minutes begins a session."""
    n_events = draw(st.integers(2, 24)) if draw(st.booleans()) else draw(st.integers(60, 90))
    logs_in_at = draw(st.integers(0, 2 * n_events))
    chance = draw(st.randoms(use_true_random=False))
    gaps, n_items = GAPS_MS[: draw(st.integers(3, len(GAPS_MS)))], draw(st.sampled_from([1, 2, 5, 20, 200]))
    at_ms, session, records = NOW_MS, 0, []
    for number in range(n_events):
        gap_ms = chance.choice(gaps if at_ms < NOW_MS + 20 * 60 * MINUTE_MS else gaps[:3])  # within a day
        at_ms, session = at_ms + gap_ms, session + (gap_ms > 30 * MINUTE_MS)
        name = chance.choice(("page_view", *WITH_ITEMS, *WITH_ITEMS))
        params: dict[str, Any] = {}
        if name != "page_view":
            params["items"] = [f"sku{chance.randrange(n_items)}" for _ in range(chance.choice((1, 1, 1, 2, 3)))]
        if name == "purchase":
            params["transaction_id"] = f"t{number}"
        sent = {**event(name, at_ms=at_ms, **params), "session_id": f"s{session}"}
        records.append(record(sent, user_id="eva" if number >= logs_in_at else None))
    return records


class Served:
    """What serving knows of the visitor while records come in."""

    def __init__(self) -> None:
        self.by_key: dict[str, States] = {}

    def take_in(self, records: Iterable[EventRecord]) -> None:
        for one in records:
            self.by_key.setdefault(str(one.user_key), States()).apply(one)

    def session(self, now_ms: int) -> tuple[str, ...]:
        """Return the items of the session, newest first; the named user's key is read before the anonymous one's."""
        blobs = [
            StateBlobs(moved.session_blob, moved.profile_blob) for _, moved in sorted(self.by_key.items(), reverse=True)
        ]
        return request_user(WHO, merge(blobs, now_ms=now_ms)).session


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(records=visits(), order=st.randoms(use_true_random=False))
def test_whatever_happens_the_served_session_is_the_trained_one(records: list[EventRecord], order: Random) -> None:
    by_day: dict[int, list[Any]] = {}
    for one in records:
        for day, row in rows_of(one):
            by_day.setdefault(day, []).append(row)
    with TemporaryDirectory() as folder:
        for day, rows in by_day.items():
            ArchiveFolder(folder).write(SITE, day, "p0-0-9.parquet", rows)
        try:
            log = read_archive(folder, site=SITE)
        except InvalidDataset:  # it saw pages and clicks alone
            return
    points = points_at_every_position(log)
    if not len(points):
        return
    pairs = np.unique((points.histories.query_of << 32) | points.histories.items)
    trained = session_columns(points.histories, pairs, pairs >> 32)
    index_of = {item_id: index for index, item_id in enumerate(log.item_ids)}

    served, left = Served(), list(records)
    for number, at in enumerate(points.at.tolist()):
        asked_ms = int(log.occurred_at_ms[at])
        if log.occurred_at_ms[at - 1] == asked_ms:
            continue  # nobody can ask between two items of one moment
        before = [one for one in left if one.events[0].occurred_at_ms < asked_ms]
        left = left[len(before) :]
        served.take_in(before)
        newest_first = served.session(asked_ms)
        history = np.array([index_of[item_id] for item_id in reversed(newest_first)], np.int32)

        assert history.tolist() == points.histories[number].tolist()
        habits, seen, of_seen = one_session(history)
        rows = np.searchsorted(pairs, (number << 32) | seen.astype(np.int64))
        for column, name in enumerate(CANDIDATE_COLUMNS):
            np.testing.assert_array_equal(of_seen[:, column], trained[name][rows], err_msg=name)
        for value, name in zip(habits, HABIT_COLUMNS, strict=True):
            np.testing.assert_array_equal(value, trained[name][rows], err_msg=name)

    served.take_in(left)
    anyhow = list(records)
    order.shuffle(anyhow)
    mixed = Served()
    mixed.take_in(anyhow)
    now_ms = records[-1].events[0].occurred_at_ms
    assert mixed.session(now_ms) == served.session(now_ms)
