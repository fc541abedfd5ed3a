"""Counts of items in panes of event time: 5 minutes, 1 hour, 24 hours and 7 days add up from them.

A pane is closed by nobody: late events find it and count in it. Sums of whole numbers are the same in any order, and
so is the sample of visitors' networks that stands behind them (``counting.networks``).
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from features.definitions import DAY_MS, ITEM_WINDOWS
from features.money import MAX_SUM, saturated
from features.state.counting import networks

VISITORS: Final = {"views": "viewers", "carts": "carters", "purchases": "buyers"}
"""What counts the users of each kind of interaction, each once a UTC day (``counting.votes``)."""
METRICS: Final = (*VISITORS, "revenue", *VISITORS.values(), "regulars")  # revenue in minor units
VIEWS, CARTS, PURCHASES, REVENUE = range(len(VISITORS) + 1)
FIRST_OF_VISITORS: Final = REVENUE + 1
REGULARS: Final = len(METRICS) - 1
"""Viewers whose first event was a day before, and users whom the shop's server vouches for."""
N_SUMS: Final = len(METRICS)
Counts = list[int]  # one count a metric, then the sample of networks

WIDTHS_S: Final = tuple(width_s for _, width_s, _ in ITEM_WINDOWS)
_WINDOW_MS: Final = {width_s: window_s * 1_000 for _, width_s, window_s in ITEM_WINDOWS}
_OVER_ONE_MIDNIGHT: Final = tuple(width_s for width_s in WIDTHS_S if _WINDOW_MS[width_s] <= DAY_MS)
_DECODE: Final = msgspec.msgpack.Decoder(list[int]).decode


class ItemEffect(NamedTuple):
    """What one event does to an item's counts.

    ``network`` is the tag of its visitor's network on the day, 0 for none, and ``voice`` what stands for it on all.
    """

    item_id: str
    at_ms: int
    metric: int
    amount: int
    revenue: int
    network: int = 0
    voice: int = 0


class Pane(NamedTuple):
    """One pane of one width: ``number`` times ``width_s`` is its start in epoch seconds."""

    width_s: int
    number: int


def pane_increments(effects: Iterable[ItemEffect], *, now_ms: int) -> dict[Pane, dict[str, Counts]]:
    """Add effects up by pane and item; panes that no window reaches any more at ``now_ms`` are left out."""
    minutes: dict[int, dict[str, Counts]] = {}
    seen: dict[tuple[int, str], set[tuple[int, int]]] = {}
    oldest_ms = now_ms - max(_WINDOW_MS.values()) - max(WIDTHS_S) * 1_000
    for item_id, at_ms, metric, amount, revenue, network, voice in effects:
        if at_ms < oldest_ms:
            continue
        minute = at_ms // 60_000
        items = minutes.get(minute)
        if items is None:
            items = minutes[minute] = {}
        counts = items.get(item_id)
        if counts is None:
            counts = items[item_id] = [0] * len(METRICS)
        counts[metric] += amount
        counts[REVENUE] += revenue
        if network:
            of_minute = seen.get((minute, item_id))
            if of_minute is None:
                seen[minute, item_id] = {(network, voice)}
            else:
                of_minute.add((network, voice))
    for (minute, item_id), of_minute in seen.items():
        voices = [networks.voice_at(item_id, voice) for _, voice in of_minute]
        minutes[minute][item_id] += networks.sample_of(voices)
    panes: dict[Pane, dict[str, Counts]] = {}
    narrower_s, narrower = 60, minutes
    for width_s in WIDTHS_S:  # each a multiple of the one before, so panes add up from narrower ones
        wider: dict[int, dict[str, Counts]] = {}
        for number, items in narrower.items():
            _add_pane(wider, number * narrower_s // width_s, items)
        if not is_of_voices(width_s):
            _put_tags_of_days(wider, seen, width_s)
        narrower_s, narrower = width_s, wider
        first = first_pane(width_s, now_ms=now_ms)
        panes.update({Pane(width_s, number): items for number, items in wider.items() if number >= first})
    return panes


def is_of_voices(width_s: int) -> bool:
    """Return whether behind the panes of a width stand voices of networks; else it is their tags of the day."""
    return width_s in _OVER_ONE_MIDNIGHT


def _put_tags_of_days(
    panes: dict[int, dict[str, Counts]], seen: Mapping[tuple[int, str], set[tuple[int, int]]], width_s: int
) -> None:
    tags: dict[tuple[int, str], set[int]] = {}
    for (minute, item_id), of_minute in seen.items():
        tags.setdefault((minute * 60 // width_s, item_id), set()).update(network for network, _ in of_minute)
    for (number, item_id), of_pane in tags.items():
        counts = panes[number][item_id]
        panes[number][item_id] = [*counts[:N_SUMS], *networks.sample_of(of_pane)]


def _add_pane(panes: dict[int, dict[str, Counts]], number: int, items: dict[str, Counts]) -> None:
    """Add a pane's items to those of a wider one; lists of counts are shared between widths and never changed."""
    sums = panes.get(number)
    if sums is None:
        panes[number] = dict(items)
        return
    for item_id, counts in items.items():
        known = sums.get(item_id)
        sums[item_id] = counts if known is None else add_counts(known, counts)


def first_pane(width_s: int, *, now_ms: int) -> int:
    """Return the index of the oldest pane that the window of this width still counts at ``now_ms``.

    A window is its current pane and as many before it as cover its length; so it is up to a pane longer.
    """
    return (now_ms - _WINDOW_MS[width_s]) // (width_s * 1_000)


def pane_ttl_s(width_s: int) -> int:
    """Return for how long a pane must be kept after it was last written."""
    return _WINDOW_MS[width_s] // 1_000 + 2 * width_s


def add_counts(left: Sequence[int], right: Sequence[int]) -> Counts:
    """Return the sum of two counts, metric by metric, and the samples of both joined; a sum stops at ``MAX_SUM``."""
    sums = list(map(operator.add, left[:N_SUMS], right[:N_SUMS]))
    if max(sums) > MAX_SUM:
        sums = list(map(saturated, sums))
    return [*sums, *networks.join(left[N_SUMS:], right[N_SUMS:])]


def completed(counts: Counts) -> Counts:
    """Return counts with what an older version did not count: each event then stands for a visitor who is a regular."""
    if len(counts) >= N_SUMS:
        return counts
    visitors = counts[FIRST_OF_VISITORS:REGULARS] or counts[:REVENUE]
    return [*counts[:FIRST_OF_VISITORS], *visitors, visitors[VIEWS], networks.NOT_KNOWN]


def sum_counts(panes: Iterable[Mapping[bytes, bytes]]) -> dict[str, Counts]:
    """Add the stored panes of one window up, by item."""
    totals: dict[str, Counts] = {}
    for pane in panes:
        for item_id, blob in pane.items():
            counts = completed(_DECODE(blob))
            sums = totals.get(name := item_id.decode())
            totals[name] = counts if sums is None else add_counts(sums, counts)
    return totals
