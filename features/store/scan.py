"""All states of a store, what they mean, and whether two stores hold the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import redis

from features import keys
from features.definitions import ITEM_WINDOWS
from features.state import progress, watermarks, windows
from features.state.states import canonical, decode_profile, decode_session
from features.store.redis_pipe import borrowed, raise_errors

SCAN_COUNT = 2_000
_ENCODE = msgspec.json.Encoder().encode
_DECODE_COUNTS = msgspec.msgpack.Decoder(list[int]).decode


@dataclass(frozen=True, slots=True)
class StoredState:
    """One state as it stands in Redis."""

    partition: int
    site: str
    view: str
    user_key: str
    blob: bytes


@dataclass(frozen=True, slots=True)
class StateHash:
    """A digest of everything that a site's events brought about, and how much that is."""

    digest: str
    sessions: int
    profiles: int
    counts: int


def scan_states(
    client: redis.Redis, *, partitions: int, view: str, site: str = "*", only_partition: int | None = None
) -> Iterator[StoredState]:
    """Yield all states of a view, some thousands at a time; memory does not grow with their number.

    As with any SCAN, a state that is written meanwhile comes once or twice.

    Raises
    ------
    StoreUnavailable
        Redis is unavailable.
    """
    for partition in range(partitions) if only_partition is None else (only_partition,):
        pattern = keys.states_pattern(partition, view, site=site)
        cursor: Any = b"0"
        while True:
            with borrowed(client, keys.prefix(partition)) as pipe:
                answers = pipe.send([("SCAN", cursor, "MATCH", pattern, "COUNT", SCAN_COUNT)])
                raise_errors(client, answers)
                cursor, names = answers[0]
                blobs = pipe.send([("MGET", *names)]) if names else [[]]
                raise_errors(client, blobs)
            for name, blob in zip(names, blobs[0], strict=True):
                if blob is not None:
                    found_site, found_view, user_key = keys.split_state(name.decode())
                    yield StoredState(partition, found_site, found_view, user_key, blob)
            if cursor == b"0":
                break


def state_hash(client: redis.Redis, *, partitions: int, log_name: str, lateness_ms: int, site: str = "*") -> StateHash:
    """Return the digest of all states and of the item counts that a window still reaches.

    The same events give the same digest, over whichever log and number of partitions and in whatever order they came.
    """
    lines: dict[str, set[bytes]] = {"session": set(), "profile": set()}
    for view, found in lines.items():
        for stored in scan_states(client, partitions=partitions, view=view, site=site):
            found.add(_ENCODE([stored.site, stored.user_key, meaning(stored, lateness_ms=lateness_ms)]))
    counts = [
        _ENCODE([name, width_s, pane, item_id, values])
        for name, now_ms in site_times(client, partitions=partitions, log_name=log_name).items()
        if site in ("*", name)
        for (width_s, pane, item_id), values in _item_counts(client, name, now_ms, partitions=partitions).items()
    ]
    digest = hashlib.sha256()
    for line in (*sorted(lines["session"]), *sorted(lines["profile"]), *sorted(counts)):
        digest.update(line)
    return StateHash(digest.hexdigest(), len(lines["session"]), len(lines["profile"]), len(counts))


def meaning(stored: StoredState, *, lateness_ms: int) -> list[Any]:
    """Return what a stored state means, comparable between stores."""
    if stored.view == keys.SESSION:
        return canonical(decode_session(stored.blob), lateness_ms=lateness_ms)
    return canonical(decode_profile(stored.blob), lateness_ms=lateness_ms)


def read_progress(client: redis.Redis, *, partitions: int, log_name: str) -> dict[int, progress.Progress]:
    """Return watermarks and totals of each partition; one round trip each."""
    found: dict[int, progress.Progress] = {}
    for partition in range(partitions):
        key = keys.progress(partition, log_name)
        with borrowed(client, key) as pipe:
            answers = pipe.send([("GET", key)])
            raise_errors(client, answers)
        found[partition] = progress.decode(answers[0])
    return found


def site_times(client: redis.Redis, *, partitions: int, log_name: str) -> dict[str, int]:
    """Return the newest event time of each site, over all partitions."""
    return times_of_sites(read_progress(client, partitions=partitions, log_name=log_name).values())


def times_of_sites(states: Iterable[progress.Progress]) -> dict[str, int]:
    """Return the newest event time of each site that the progress of partitions knows."""
    times: dict[str, int] = {}
    for state in states:
        for site in {name.rpartition("|")[0] for name in state.watermarks}:
            times[site] = max(times.get(site, 0), watermarks.site_time_ms(state.watermarks, site))
    return times


_PANE_KEYS: Final = (keys.item_pane, keys.unknown_pane)


def _item_counts(
    client: redis.Redis, site: str, now_ms: int, *, partitions: int
) -> dict[tuple[int, int, str], list[int]]:
    totals: dict[tuple[int, int, str], list[int]] = {}
    for _, width_s, _ in ITEM_WINDOWS:
        panes = range(windows.first_pane(width_s, now_ms=now_ms), now_ms // (width_s * 1_000) + 1)
        for partition in range(partitions):
            names = [name(partition, site, width_s, pane) for name in _PANE_KEYS for pane in panes]
            with borrowed(client, names[0]) as pipe:
                answers = pipe.send([("HGETALL", name) for name in names])
                raise_errors(client, answers)
            for pane, answer in zip([*panes, *panes], answers, strict=True):
                for item_id, blob in zip(answer[::2], answer[1::2], strict=True):
                    key = (width_s, pane, item_id.decode())
                    counts = windows.completed(_DECODE_COUNTS(blob))
                    totals[key] = windows.add_counts(totals[key], counts) if key in totals else counts
    return {key: counts for key, counts in totals.items() if any(counts)}  # what was added and taken back is nothing
