"""Sources of installed packages: found, checked, cut off in time, left alone after failures; lists never wait."""

from __future__ import annotations

import sys
import threading
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from recommendations import checks
from recommendations.core.types import Ranked, RequestUser, RowArray
from recommendations.pipeline import retrieve
from recommendations.pipeline.query import PlacementSpec
from recommendations.retrieval import installed
from recommendations.retrieval.base import PER_SOURCE, ServingContext, listed
from recommendations.retrieval.installed import FAILURES, REST_S, InstalledSource, installed_sources, sound
from recommendations.retrieval.sources import SOURCES
from tests.recommendations.worlds import NOW_MS, ids, item_index, served

SHOP = item_index(n=20)
NO_ROWS = np.empty(0, np.int32)
PACKAGE = """
import numpy as np
from recommendations.core.types import Ranked
from recommendations.retrieval.base import listed

class Last:
    label = "the last of the catalogue"
    def retrieve(self, about, user, context, *, window):
        return listed(np.arange(context.item_index.catalogue.n_rows, dtype=np.int32)[::-1])

class Speechless:
    def retrieve(self, about, user, context, *, window):
        return None

class Broken(Last):
    def __init__(self):
        raise RuntimeError("no key is set")
"""


class Proposing:
    """A source that returns, raises or waits for what it is given."""

    name = "proposing"
    label = "of a package"

    def __init__(self, answer: Any = None, *, until: threading.Event | None = None) -> None:
        self.answer = answer
        self.until = until
        self.calls = 0

    def retrieve(self, about: RowArray, user: RequestUser, context: ServingContext, *, window: str) -> Any:
        self.calls += 1
        if self.until is not None:
            self.until.wait(60)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def asked(source: InstalledSource, left_ms: float = 10_000.0) -> list[int]:
    context = ServingContext(item_index=SHOP, model=None, now_ms=NOW_MS)
    rows: list[int] = source.retrieve_within(left_ms, NO_ROWS, RequestUser(), context, window="24h").rows.tolist()
    return rows


def counted(name: str, result: str) -> float:
    labels = {"source": name, "result": result}
    return REGISTRY.get_sample_value("recsite_installed_source_total", labels) or 0.0


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait as long as a starved machine needs; only what never answers is cut off."""
    monkeypatch.setattr(installed, "BUDGET_MS", 30_000.0)


def points(folder: Path, monkeypatch: pytest.MonkeyPatch, **declared: str) -> list[metadata.EntryPoint]:
    """Install a package into a folder that Python looks at, as pip leaves it, and return what it declares."""
    (folder / "our_shop_sources.py").write_text(PACKAGE)
    info = folder / "our_shop-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: our-shop\nVersion: 1.0\n")
    lines = "".join(f"{name} = our_shop_sources:{kind}\n" for name, kind in declared.items())
    (info / "entry_points.txt").write_text(f"[{installed.GROUP}]\n{lines}")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "our_shop_sources", raising=False)
    return list(metadata.entry_points(group=installed.GROUP))


@pytest.mark.expects_errors("retrieve.source_refused")
def test_a_source_of_an_installed_package_is_found_and_others_are_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patient: None
) -> None:
    points(
        tmp_path, monkeypatch, last="Last", popular="Last", Loud="Last", mute="Speechless", broken="Broken", gone="X"
    )
    found, refused = installed_sources(SOURCES)
    assert set(found) == {"last"}
    assert asked(found["last"]) == list(range(19, -1, -1))
    assert {each.name: each.package for each in refused} == dict.fromkeys(
        ("popular", "Loud", "mute", "broken", "gone"), "our-shop"
    )
    monkeypatch.setattr(checks, "REFUSED", refused)
    messages = {str(each.msg): each.id for each in checks.installed_sources_are_sources(None)}
    assert set(messages.values()) == {"recommendations.W001"}
    assert any("'broken' of the package our-shop is not used: RuntimeError: no key is set" in text for text in messages)


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (RuntimeError("down"), "failed"),
        (None, "wrong"),
        (listed(np.array([1, 1], np.int32)), "wrong"),
        (listed(np.array([20], np.int32)), "wrong"),
        (listed(np.array([-1], np.int32)), "wrong"),
        (Ranked(rows=np.array([1, 2], np.int32), scores=np.array([1.0, np.nan], np.float32)), "wrong"),
    ],
)
@pytest.mark.usefixtures("patient")
def test_what_fails_or_is_wrong_proposes_nothing_and_rests_after_some_in_a_row(answer: Any, result: str) -> None:
    clock, package = Clock(), Proposing(answer)
    source = InstalledSource(package, name="theirs", clock=clock)
    before = {each: counted("theirs", each) for each in (result, "resting", "answered")}
    for _ in range(FAILURES + 3):
        assert asked(source) == []
    assert package.calls == FAILURES
    assert counted("theirs", result) == before[result] + FAILURES
    assert counted("theirs", "resting") == before["resting"] + 3
    clock.now_s += REST_S + 1
    package.answer = listed(np.array([3, 2], np.int32))
    assert asked(source) == [3, 2]
    assert counted("theirs", "answered") == before["answered"] + 1


@pytest.mark.slow
@pytest.mark.usefixtures("patient")
def test_a_source_that_never_returns_is_asked_once_and_again_after_it_did() -> None:
    release = threading.Event()
    package = Proposing(listed(np.array([5], np.int32)), until=release)
    source = InstalledSource(package, name="hanging")
    busy = counted("hanging", "busy")
    assert asked(source, left_ms=1_000.0) == []
    assert [asked(source) for _ in range(3)] == [[]] * 3
    assert package.calls == 1
    assert counted("hanging", "busy") == busy + 3
    assert source._worker is not None
    overdue = source._worker.overdue
    assert overdue is not None
    release.set()
    overdue.result(60)
    assert not source._worker.is_overdue


def test_with_no_time_left_nobody_waits() -> None:
    source = InstalledSource(Proposing(until=threading.Event()), name="late")
    assert asked(source, left_ms=0.0) == []


def test_a_call_that_was_given_up_before_its_turn_is_never_made() -> None:
    release = threading.Event()
    worker = installed._Worker("turns")
    made: list[str] = []
    first = worker.submit(lambda: release.wait(60))
    second = worker.submit(lambda: made.append("second"))
    assert second.cancel()
    third = worker.submit(lambda: made.append("third"))
    release.set()
    assert first.result(60)
    third.result(60)
    assert made == ["third"]


@pytest.mark.usefixtures("patient")
def test_a_list_has_the_items_of_an_installed_source(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = InstalledSource(Proposing(listed(np.array([9, 8, 7], np.int32))), name="theirs")
    put(monkeypatch, theirs)
    result = served(SHOP, PlacementSpec(name="home", strategy="trending", sources=("theirs",)), limit=3)
    assert ids(SHOP, result) == ["sku9", "sku8", "sku7"]


@pytest.mark.parametrize("package", [Proposing(until=threading.Event()), Proposing(ValueError("down"))])
def test_a_list_is_made_without_a_source_that_hangs_or_fails(
    monkeypatch: pytest.MonkeyPatch, package: Proposing
) -> None:
    put(monkeypatch, InstalledSource(package, name="theirs"))
    placement = PlacementSpec(name="home", strategy="trending", sources=("theirs", "popular"))
    assert ids(SHOP, served(SHOP, placement, limit=3)) == ["sku0", "sku1", "sku2"]


def put(monkeypatch: pytest.MonkeyPatch, source: InstalledSource) -> None:
    monkeypatch.setattr(retrieve, "INSTALLED", {source.name: source})
    monkeypatch.setattr(retrieve, "SOURCES", {**SOURCES, source.name: source})


@pytest.mark.slow
@given(
    rows=st.lists(st.integers(-3, 60), max_size=150),
    scores=st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=150),
    kind=st.sampled_from([np.int64, np.int32, np.float64, object]),
)
def test_whatever_is_proposed_becomes_sound_or_is_refused(rows: list[int], scores: list[float], kind: Any) -> None:
    found: Any = Ranked(rows=np.array(rows, kind), scores=np.array(scores))
    try:
        kept = sound(found, n_rows=50)
    except ValueError:
        return
    assert len(kept.rows) == len(kept.scores) == len(set(kept.rows.tolist())) <= PER_SOURCE
    assert kept.rows.dtype == np.dtype(np.int32)
    assert kept.scores.dtype == np.dtype(np.float32)
    assert np.all((kept.rows >= 0) & (kept.rows < 50))
    assert np.isfinite(kept.scores).all()
    assert (np.diff(kept.scores) <= 0).all()
