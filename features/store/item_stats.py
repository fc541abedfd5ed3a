"""Popularity of each item of a site: the partitions' panes, merged every few seconds into one small blob.

Web processes hold the blob in memory (``load_item_stats`` in a ``tracking.snapshots``), for popularity, trends
and conversion. Windows end at the site's newest event time, so that an imported log has its trends, too.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import redis
from numpy.typing import NDArray

from features import keys
from features.definitions import ITEM_WINDOWS
from features.exceptions import StoreUnavailable
from features.isolation import isolated
from features.state import windows
from features.state.counting import networks
from features.state.counting.unknown import REST, max_unknown_items
from features.state.windows import FIRST_OF_VISITORS, N_SUMS, REGULARS, Counts, add_counts
from features.store.redis_pipe import borrowed, raise_errors
from features.store.scan import read_progress, times_of_sites
from tracking.redis_client import UNAVAILABLE

WINDOWS: Final = tuple(name for name, _, _ in ITEM_WINDOWS)
_DAY: Final = WINDOWS.index("24h")
_WEEK: Final = WINDOWS.index("7d")
METRICS: Final = windows.METRICS
BLOB_TTL_S: Final = keys.ITEM_STATS.ttl_s
PRIOR_VIEWERS: Final = 50.0
"""An item's conversion begins at the site's mean and is half its own after that many viewers."""
MAX_LIFT: Final = 3.0
"""How many times the site's mean of carters and buyers a viewer an item may have, for its popularity."""
WITHOUT_VIEWERS: Final = 10.0
"""Carters, and buyers, that always count: what is bought from a list, or by telephone, is looked at by nobody."""

MAX_NEW_LIFT: Final = 1.5
"""How many times the site's mean of viewers a regular an item may have."""
WITHOUT_REGULARS: Final = 1.0
"""Viewers that always count."""
LEAST_REGULARS: Final = 100
LEAST_REGULAR_SHARE: Final = 0.02
"""Fewer regulars among a window's viewers than these say nothing about an item."""

CountArray = NDArray[np.int64]
PaneKey = Callable[[int, str, int, int], str]  # partition, site, width in seconds and number of a pane → its Redis key


class StatsBlob(msgspec.Struct, array_like=True, kw_only=True):
    """The merged counts as they stand in Redis, shape (items, windows, metrics).

    ``counts`` is int64 and holds the metrics up to revenue, as version 0.1 wrote and reads them; ``visitors`` is int32
    and holds the others, as many as the networks allow that they came from. Without it, each event stands for a
    visitor. ``rest`` is int64 with the shape (windows,
    metrics): the items that the catalogue does not have and that are not told apart.
    """

    version: int = 1
    made_at_ms: int
    event_time_ms: int
    item_ids: list[str]
    counts: bytes
    visitors: bytes = b""
    rest: bytes = b""


_ENCODE: Final = msgspec.msgpack.Encoder().encode
_DECODE: Final = msgspec.msgpack.Decoder(StatsBlob).decode


@dataclass(frozen=True, kw_only=True)
class ItemStats:
    """Counts of one site's items by window.

    Attributes
    ----------
    item_ids : tuple of str
        Items with any event in the last seven days.
    counts : int64, shape (n_items, 4, 8)
        Windows as in ``WINDOWS``, metrics as in ``METRICS``; revenue in minor units of the site's currency.
    rest : int64, shape (4, 8)
        The same of all items together that no catalogue has and that were too many to be told apart.
    """

    site: str
    made_at_ms: int
    event_time_ms: int
    item_ids: tuple[str, ...]
    counts: CountArray
    rest: CountArray = field(default_factory=lambda: np.zeros((len(WINDOWS), len(METRICS)), np.int64))

    @cached_property
    def row_of(self) -> dict[str, int]:
        """Row of each item."""
        return {item_id: row for row, item_id in enumerate(self.item_ids)}

    def of(self, metric: str, window: str) -> CountArray:
        """Return one metric of one window; shape (n_items,)."""
        return self.counts[:, WINDOWS.index(window), METRICS.index(metric)]

    def count(self, item_id: str, metric: str, window: str) -> int:
        """Return one figure of one item; 0 for an item without events."""
        row = self.row_of.get(item_id)
        return 0 if row is None else int(self.of(metric, window)[row])

    def popular(
        self, *, window: str = "7d", weights: tuple[float, float, float] = (1.0, 3.0, 5.0), limit: int = 1_000
    ) -> list[str]:
        """Return items by weighted viewers, carters and buyers, best first; those without any are left out."""
        return self._best(self.plausible_visitors(window) @ np.asarray(weights), limit=limit)

    def plausible_visitors(self, window: str) -> NDArray[np.float64]:
        """Return viewers, carters and buyers as far as they go together; shape (n_items, 3).

        Of an item that is put into carts or bought much more often than it is looked at, by the site's own measure, the
        surplus does not count: names that are made up to push an item send all three, and so weigh as viewers do. A few
        carters and buyers count without any viewer, and all of them where the site counts no views. Nor do viewers
        count that are a surplus beside the item's regulars (``_backed_by_regulars``): an id is made up in no time, and
        becomes a day old in a day.
        """
        visitors = self.counts[:, WINDOWS.index(window), FIRST_OF_VISITORS:REGULARS].astype(np.float64)
        visitors[:, 0] = _backed_by_regulars(visitors[:, 0], self.of("regulars", window))
        viewers, totals = visitors[:, 0], visitors.sum(axis=0)
        if totals[0]:
            usual = totals[1:] / totals[0]
            # As many as a week has; of a shorter window, a part.
            few = WITHOUT_VIEWERS * min(float(totals[0]) / max(float(self.of("viewers", WINDOWS[-1]).sum()), 1.0), 1.0)
            visitors[:, 1:] = np.minimum(visitors[:, 1:], MAX_LIFT * usual * viewers[:, None] + few)
        return visitors

    def trending(self, *, limit: int = 1_000) -> list[str]:
        """Return items whose viewers of the last hour exceed what their day leads to expect, best first.

        The score is ``(n - e) / sqrt(e + 1)`` with n the viewers of the hour and e a 24th of those of the day.
        """
        recent = self.plausible_visitors("1h")[:, 0]
        expected = self.plausible_visitors("24h")[:, 0] / 24.0
        return self._best((recent - expected) / np.sqrt(expected + 1.0), limit=limit)

    def conversion(self, *, window: str = "7d") -> NDArray[np.float32]:
        """Return buyers by viewers, drawn to the site's mean where viewers are few; shape (n_items,)."""
        viewers = self.of("viewers", window).astype(np.float64)
        buyers = self.of("buyers", window).astype(np.float64)
        mean = buyers.sum() / viewers.sum() if viewers.sum() else 0.0
        smoothed: NDArray[np.float32] = ((buyers + PRIOR_VIEWERS * mean) / (viewers + PRIOR_VIEWERS)).astype(np.float32)
        return smoothed

    def _best(self, scores: NDArray[np.float64], *, limit: int) -> list[str]:
        order = np.argsort(-scores, kind="stable")[:limit]
        return [self.item_ids[row] for row in order if scores[row] > 0]


def _backed_by_regulars(viewers: NDArray[np.float64], regulars: CountArray) -> NDArray[np.float64]:
    """Return viewers without those that an item has beyond ``MAX_NEW_LIFT`` times what its regulars lead to expect.

    Where the site has few regulars yet, in its first days or with ids that live for one visit, everybody counts.
    """
    n_regulars = int(regulars.sum())
    share = n_regulars / max(float(viewers.sum()), 1.0)
    if n_regulars < LEAST_REGULARS or share < LEAST_REGULAR_SHARE:
        return viewers
    backed: NDArray[np.float64] = np.minimum(viewers, MAX_NEW_LIFT / share * regulars + WITHOUT_REGULARS)
    return backed


def empty_item_stats(site: str) -> ItemStats:
    """Return the statistics of a site without events."""
    return ItemStats(
        site=site,
        made_at_ms=0,
        event_time_ms=0,
        item_ids=(),
        counts=np.zeros((0, len(WINDOWS), len(METRICS)), np.int64),
    )


def load_item_stats(client: redis.Redis, site: str) -> ItemStats:
    """Return the merged statistics of a site; one round trip. For background threads, not for requests.

    Raises
    ------
    StoreUnavailable
        Redis is unavailable: keep what is in memory.
    """
    try:
        blob: Any = client.get(keys.item_stats(site))
    except UNAVAILABLE as error:
        raise StoreUnavailable(f"the item statistics of {site} cannot be read: {error}") from error
    if blob is None:
        return empty_item_stats(site)
    stats = _DECODE(blob)
    return ItemStats(
        site=site,
        made_at_ms=stats.made_at_ms,
        event_time_ms=stats.event_time_ms,
        item_ids=tuple(stats.item_ids),
        counts=_joined_counts(stats),
        rest=np.frombuffer(stats.rest or bytes(8 * len(WINDOWS) * len(METRICS)), np.int64).reshape(len(WINDOWS), -1),
    )


def _joined_counts(stats: StatsBlob) -> CountArray:
    shape = (len(stats.item_ids), len(WINDOWS))
    counts = np.frombuffer(stats.counts, np.int64).reshape(*shape, FIRST_OF_VISITORS)
    visitors: NDArray[Any] = counts[:, :, : windows.REVENUE]
    if stats.visitors:
        visitors = np.frombuffer(stats.visitors, np.int32).reshape(*shape, -1)
    if visitors.shape[2] == REGULARS - FIRST_OF_VISITORS:  # an older version merged them
        visitors = np.concatenate([visitors, visitors[:, :, :1]], axis=2)
    return np.concatenate([counts, visitors], axis=2, dtype=np.int64)


class _Sums(NamedTuple):
    """Counts by item: of those that a catalogue knew when they were counted, and of the others."""

    known: dict[str, Counts]
    unknown: dict[str, Counts]

    def plus(self, other: _Sums) -> _Sums:
        """Return the sums of both; this one stays what it is."""
        return _Sums(_added(self.known, other.known), _added(self.unknown, other.unknown))


def _added(left: dict[str, Counts], right: dict[str, Counts]) -> dict[str, Counts]:
    totals = left.copy()
    for item_id, counts in right.items():
        sums = totals.get(item_id)
        totals[item_id] = counts if sums is None else add_counts(sums, counts)
    return totals


class ItemStatsMerger:
    """Adds the panes of all partitions up; keeps the sums of panes that no event can change any more.

    Memory: four windows of the site's items. One a process; not for several threads at once.
    """

    def __init__(self, client: redis.Redis, *, partitions: int, log_name: str, lateness_ms: int) -> None:
        self._client = client
        self._partitions = partitions
        self._log_name = log_name
        self._lateness_ms = lateness_ms
        self._closed: dict[tuple[str, int], tuple[tuple[int, int], _Sums]] = {}
        self._corrections = 0

    def merge(self) -> dict[str, int]:
        """Merge every site that has events and write its blob; return how many items each has.

        A site whose merge fails keeps the blob it has, and is left out.

        Raises
        ------
        StoreUnavailable
            Redis is unavailable.
        """
        found = read_progress(self._client, partitions=self._partitions, log_name=self._log_name)
        times = times_of_sites(found.values())
        if (corrections := sum(one.corrections for one in found.values())) != self._corrections:
            self._closed.clear()
            self._corrections = corrections
        merged: dict[str, int] = {}
        for site, now_ms in times.items():
            with isolated("merge-item-stats", site):
                merged[site] = self._merge_site(site, now_ms)
        return merged

    def _merge_site(self, site: str, now_ms: int) -> int:
        sums = [self._window(site, width_s, now_ms=now_ms) for width_s in windows.WIDTHS_S]
        item_ids, merged, rest = _whole(sums)
        visitors = merged[:, :, FIRST_OF_VISITORS:].clip(max=np.iinfo(np.int32).max).astype(np.int32)
        blob = StatsBlob(
            made_at_ms=time.time_ns() // 1_000_000,
            event_time_ms=now_ms,
            item_ids=item_ids,
            counts=merged[:, :, :FIRST_OF_VISITORS].tobytes(),
            visitors=visitors.tobytes(),
            rest=rest.tobytes(),
        )
        key = keys.item_stats(site)
        self._send(key, [("SET", key, _ENCODE(blob), "EX", BLOB_TTL_S)])
        return len(item_ids)

    def _window(self, site: str, width_s: int, *, now_ms: int) -> _Sums:
        first = windows.first_pane(width_s, now_ms=now_ms)
        last = now_ms // (width_s * 1_000)
        first_open = max(first, (now_ms - self._lateness_ms) // (width_s * 1_000))
        closed = self._closed.get((site, width_s))
        if closed is None or closed[0] != (first, first_open):
            sums = self._sum(site, width_s, range(first, first_open))
            closed = self._closed[(site, width_s)] = ((first, first_open), sums)
        return closed[1].plus(self._sum(site, width_s, range(first_open, last + 1)))

    def _sum(self, site: str, width_s: int, numbers: Sequence[int]) -> _Sums:
        return _Sums(*(self._sum_of(name, site, width_s, numbers) for name in (keys.item_pane, keys.unknown_pane)))

    def _sum_of(self, name_key: PaneKey, site: str, width_s: int, numbers: Sequence[int]) -> dict[str, Counts]:
        found: list[dict[bytes, bytes]] = []
        for partition in range(self._partitions):
            names = [name_key(partition, site, width_s, number) for number in numbers]
            if names:
                answers = self._send(names[0], [("HGETALL", name) for name in names])
                found += [dict(zip(answer[::2], answer[1::2], strict=True)) for answer in answers]
        return windows.sum_counts(found)

    def _send(self, key: str, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        with borrowed(self._client, key) as pipe:
            answers = pipe.send(commands)
            raise_errors(self._client, answers)
        return answers


def _whole(sums: Sequence[_Sums]) -> tuple[list[str], CountArray, CountArray]:
    """Return the items to tell apart, their counts by window, and those of all others together.

    Parameters
    ----------
    sums : sequence of _Sums
        One a window, the widest last.

    Returns
    -------
    item_ids : list of str, sorted
        Every known item, and so many unknown ones as ``max_unknown_items`` says, those with the most visitors.
    counts : int64, shape (n_items, 4, 8)
        Visitors as many as their networks allow.
    rest : int64, shape (4, 8)
    """
    known = {item_id for of_window in sums for item_id in of_window.known}
    unknown = {item_id for of_window in sums for item_id in of_window.unknown} - known - {REST}
    widest = sums[-1].unknown
    n_told = max_unknown_items(len(known))
    if len(unknown) <= n_told:
        known |= unknown
    else:
        known.update(heapq.nlargest(n_told, sorted(unknown), key=lambda one: _n_visitors(widest.get(one, ()))))
    item_ids = sorted(known)
    none = [0] * len(METRICS)
    counts = [_of_windows([_of_item(of_window, item_id) or none for of_window in sums]) for item_id in item_ids]
    rest = [none for _ in sums]
    for number, of_window in enumerate(sums):
        for item_id, amounts in of_window.unknown.items():
            if item_id not in known:
                rest[number] = add_counts(rest[number], amounts)[:N_SUMS]
    shape = (len(item_ids), len(WINDOWS), len(METRICS))
    return item_ids, np.array(counts, np.int64).reshape(shape), np.array(rest, np.int64)


def _of_item(sums: _Sums, item_id: str) -> Counts | None:
    known, unknown = sums.known.get(item_id), sums.unknown.get(item_id)
    return known or unknown if known is None or unknown is None else add_counts(known, unknown)


def _of_windows(sums: Sequence[Counts]) -> list[Counts]:
    """Return an item's counts by window, without the samples; visitors as many as their networks allow.

    Behind the week stand networks a UTC day at a time, two where a midnight lies between. Who is one too many in the
    last day is so in the week, which is the same for a shop that is a day old.
    """
    found = [_bounded(counts) for counts in sums]
    day, week = sums[_DAY][:N_SUMS], found[_WEEK]
    for metric in range(FIRST_OF_VISITORS, N_SUMS):
        surplus = day[metric] - found[_DAY][metric]
        if surplus:
            week[metric] = min(week[metric], max(sums[_WEEK][metric] - surplus, found[_DAY][metric]))
    return found


def _bounded(counts: Counts) -> Counts:
    """Return the counts alone, with as many visitors as the networks behind them allow."""
    most = networks.most_visitors(counts[N_SUMS:])
    if max(counts[FIRST_OF_VISITORS:N_SUMS]) <= most:
        return counts[:N_SUMS]
    return [*counts[:FIRST_OF_VISITORS], *(min(one, int(most)) for one in counts[FIRST_OF_VISITORS:N_SUMS])]


def _n_visitors(counts: Sequence[int]) -> int:
    return sum(counts[FIRST_OF_VISITORS:REGULARS])
