"""Candidate sources of installed packages: found by their entry points, run within a budget, left alone after failures.

A package declares ``[project.entry-points."recsite.sources"]`` with the name of a source and where its class is. What
it proposes is checked as nothing of ours is: a source that is slow, fails or proposes nonsense costs a list its items
and no more.
"""

from __future__ import annotations

import logging
import queue
import re
import threading
import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from importlib import metadata
from typing import Final

import numpy as np

from recommendations.core.types import NOTHING_RANKED, Ranked, RequestUser, RowArray
from recommendations.metrics import INSTALLED_SOURCES
from recommendations.retrieval.base import PER_SOURCE, ServingContext, Source

logger = logging.getLogger(__name__)

GROUP: Final = "recsite.sources"
NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
BUDGET_MS: Final = 5.0
"""How long a list waits for one of them, and less where less of its own budget is left."""

FAILURES: Final = 5
"""So many in a row, slow answers among them, and it is not asked for ``REST_S``."""

REST_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedSource:
    """An entry point that is no source, and what is wrong with it."""

    name: str
    package: str
    problem: str


class InstalledSource:
    """A source of a package; answers in time, with rows that are sound, or with nothing.

    Attributes
    ----------
    name, label : str
        See ``Source``; the name is that of the entry point.
    """

    def __init__(
        self,
        source: Source,
        *,
        name: str,
        budget_ms: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._budget_ms = budget_ms
        self.label = source.label
        self._source = source
        self._clock = clock
        self._worker: _Worker | None = None
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._rest_until_s = 0.0

    def retrieve(self, about: RowArray, user: RequestUser, context: ServingContext, *, window: str) -> Ranked:
        """Return what it proposes within its budget."""
        return self.retrieve_within(self._budget_ms or BUDGET_MS, about, user, context, window=window)

    def retrieve_within(
        self, left_ms: float, about: RowArray, user: RequestUser, context: ServingContext, *, window: str
    ) -> Ranked:
        """Return what it proposes within its budget and ``left_ms``, best first; nothing where it fails.

        It runs on a thread of its own: one that never returns holds that thread and nobody else, and is not asked again
        before it does.
        """
        if self._clock() < self._rest_until_s:
            return self._nothing("resting")
        with self._lock:
            if self._worker is None:  # not before the first list: processes are forked from one that has started
                self._worker = _Worker(f"recsite-source-{self.name}")
        if self._worker.is_overdue:
            return self._nothing("busy")
        left_ms = min(self._budget_ms or BUDGET_MS, left_ms)
        answer = self._worker.submit(lambda: self._source.retrieve(about, user, context, window=window))
        try:
            found = sound(answer.result(left_ms / 1e3), n_rows=context.item_index.catalogue.n_rows)
        except TimeoutError:
            if not answer.cancel():  # it runs; one that only waited for its turn is never called
                self._worker.overdue = answer
            return self._failed("slow", f"no answer within {left_ms:.1f} ms")
        except ValueError as error:
            return self._failed("wrong", str(error))
        except Exception as error:  # the edge of somebody else's code: a list is made without it
            return self._failed("failed", repr(error))
        self._in_a_row = 0
        INSTALLED_SOURCES.labels(self.name, "answered").inc()
        return found

    def stop(self) -> None:
        """End its thread, once what waits has been done."""
        with self._lock:
            worker, self._worker = self._worker, None
        if worker is not None:
            worker.stop()

    def _failed(self, result: str, detail: str) -> Ranked:
        self._in_a_row += 1
        if self._in_a_row >= FAILURES:
            self._rest_until_s = self._clock() + REST_S
            self._in_a_row = FAILURES - 1  # after the rest, one failure more is enough
            logger.warning("retrieve.source_rests source=%s rest_s=%s detail=%r", self.name, REST_S, detail)
        return self._nothing(result)

    def _nothing(self, result: str) -> Ranked:
        INSTALLED_SOURCES.labels(self.name, result).inc()
        return NOTHING_RANKED


def sound(found: object, *, n_rows: int) -> Ranked:
    """Return the best ``PER_SOURCE`` of what a source proposes, in the types of ours.

    Raises
    ------
    ValueError
        It is no ``Ranked``, rows are not of the catalogue or come twice, or scores are no falling finite numbers.
    """
    if not isinstance(found, Ranked):
        raise ValueError(f"{type(found).__name__} is no Ranked; return listed(rows) or Ranked(rows=…, scores=…)")
    rows, scores = np.asarray(found.rows), np.asarray(found.scores)
    if rows.ndim != 1 or rows.shape != scores.shape:
        raise ValueError(f"rows have shape {rows.shape} and scores {scores.shape}; both are to be (n,)")
    rows, scores = rows[:PER_SOURCE], scores[:PER_SOURCE]
    if len(rows) == 0:
        return NOTHING_RANKED
    if rows.dtype.kind not in "iu" or scores.dtype.kind not in "iuf":
        raise ValueError(f"rows are {rows.dtype} and scores {scores.dtype}; they are to be int32 and float32")
    if rows.min() < 0 or rows.max() >= n_rows:
        raise ValueError(f"rows {rows.min()} to {rows.max()}: the catalogue has {n_rows}")
    with np.errstate(over="ignore"):
        scores = scores.astype(np.float32)
    if len(np.unique(rows)) != len(rows):
        raise ValueError("a row comes twice")
    if not np.isfinite(scores).all() or (scores[1:] > scores[:-1]).any():
        raise ValueError("scores are to be finite and to fall, best first")
    return Ranked(rows=rows.astype(np.int32), scores=scores)


def installed_sources(
    taken: Collection[str], entry_points: Iterable[metadata.EntryPoint] | None = None
) -> tuple[dict[str, InstalledSource], list[RefusedSource]]:
    """Return the sources of installed packages by name, and the entry points that are none.

    Parameters
    ----------
    taken : collection of str
        Names of sources and reasons that nobody else may have.
    entry_points : iterable of EntryPoint, optional
        Those of the environment.
    """
    found: dict[str, InstalledSource] = {}
    refused: list[RefusedSource] = []
    for point in metadata.entry_points(group=GROUP) if entry_points is None else entry_points:
        problem = None
        if NAME.fullmatch(point.name) is None:
            problem = "a name is up to 40 small letters, digits and underscores, and begins with a letter"
        elif point.name in taken or point.name in found:
            problem = "there is a source or a reason of that name"
        else:
            try:
                made = point.load()
                source = made() if isinstance(made, type) else made
                if not isinstance(source.label, str) or not source.label or not callable(source.retrieve):
                    raise TypeError("it has no label or no retrieve(about, user, context, *, window)")
                found[point.name] = InstalledSource(source, name=point.name)
            except Exception as error:  # the edge of somebody else's code: the process starts without it
                problem = f"{type(error).__name__}: {error}"
        if problem is not None:
            package = point.dist.name if point.dist is not None else point.value
            refused.append(RefusedSource(name=point.name, package=package, problem=problem))
            logger.error("retrieve.source_refused source=%r package=%s detail=%r", point.name, package, problem)
    return found, refused


class _Worker:
    """One thread that calls one source; a daemon, so that a call that never returns keeps no process from ending."""

    def __init__(self, name: str) -> None:
        self.overdue: Future[object] | None = None
        self._calls: queue.SimpleQueue[tuple[Future[object], Callable[[], object]] | None] = queue.SimpleQueue()
        threading.Thread(target=self._serve, name=name, daemon=True).start()

    @property
    def is_overdue(self) -> bool:
        """Whether a call that somebody gave up has not returned yet."""
        return self.overdue is not None and not self.overdue.done()

    def submit(self, call: Callable[[], object]) -> Future[object]:
        """Return the future of a call; calls run one after the other."""
        answer: Future[object] = Future()
        self._calls.put((answer, call))
        return answer

    def stop(self) -> None:
        """End after the calls that wait."""
        self._calls.put(None)

    def _serve(self) -> None:
        while (waiting := self._calls.get()) is not None:
            answer, call = waiting
            if not answer.set_running_or_notify_cancel():
                continue
            try:
                answer.set_result(call())
            except BaseException as error:  # whoever waits hears of it, and the thread goes on
                answer.set_exception(error)
