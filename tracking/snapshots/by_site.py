"""Snapshots of every site: one registry for each kind of data, filled by the first reader of a site.

A site that was deleted takes its snapshots with it: whoever loads the list of sites calls ``drop_all_but`` with what
exists, and the snapshots of every other site are closed, so that neither memory nor queries are spent on them.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Collection
from typing import Any, Final, Generic, TypeVar
from weakref import WeakSet

from tracking.snapshots.snapshot import Snapshot, announce

T = TypeVar("T")

_registries: Final[WeakSet[SiteSnapshots[Any]]] = WeakSet()


class SiteSnapshots(Generic[T]):
    """One kind of data, with a ``Snapshot`` for each site that somebody asked for. Thread-safe.

    Parameters
    ----------
    topic : str
        What the data is; announcing ``<topic>:<site>`` loads a site's snapshot again.
    load : callable
        ``load(site)`` returns the function that loads this site's value. It is called once for each snapshot, so what
        it returns may remember its last result, and it may ask other registries for the site's snapshots.
    refresh_s : float
        As for ``Snapshot``. The lane is named like the topic: one thread loads this kind of data for all sites.
    """

    def __init__(self, topic: str, load: Callable[[str], Callable[[], T]], *, refresh_s: float) -> None:
        self.topic = topic
        self._load = load
        self._refresh_s = refresh_s
        self._held: dict[str, tuple[Snapshot[T], float]] = {}  # and when it was made, in monotonic seconds
        self._lock = threading.RLock()
        _registries.add(self)

    def of(self, site: str) -> Snapshot[T]:
        """Return the site's snapshot, kept fresh in the background from the first call on; never blocks on a load."""
        held = self._held.get(site)  # without the lock: this is on every request's way
        if held is not None:
            return held[0]
        with self._lock:
            if site not in self._held:
                snapshot = Snapshot(self.topic_of(site), self._load(site), refresh_s=self._refresh_s, lane=self.topic)
                self._held[site] = (snapshot, time.monotonic())
            return self._held[site][0]

    def topic_of(self, site: str) -> str:
        """Return the topic that is announced when the data of the site changed."""
        return site_topic(self.topic, site)

    def announce(self, site: str) -> None:
        """Tell every process, once the transaction is committed, that the data of the site changed."""
        announce(self.topic_of(site))

    def sites(self) -> frozenset[str]:
        """Return the sites that have a snapshot in this process."""
        return frozenset(self._held)

    def drop_all_but(self, existing: Collection[str], *, made_before: float) -> frozenset[str]:
        """Close and forget the snapshots of sites that do not exist any more; return those sites.

        Only what was made before ``made_before`` (monotonic seconds: the moment before ``existing`` was read), since
        a site may have been made while the list of sites was on its way.
        """
        with self._lock:
            gone = [site for site, (_, made_at) in self._held.items() if site not in existing and made_at < made_before]
            return self._close(gone)

    def close_all(self) -> None:
        """Close and forget every snapshot; the next reader gets a new one."""
        with self._lock:
            self._close(list(self._held))

    def renew_lock(self) -> None:
        """Forget the parent's lock in a forked child."""
        self._lock = threading.RLock()

    def _close(self, sites: Collection[str]) -> frozenset[str]:
        for site in sites:
            snapshot, _ = self._held.pop(site)
            snapshot.close()
        return frozenset(sites)


def site_topic(topic: str, site: str) -> str:
    """Return the topic of one site's share of ``topic``."""
    return f"{topic}:{site}"


def drop_all_but(existing: Collection[str], *, made_before: float) -> frozenset[str]:
    """Close the snapshots of deleted sites in every registry of the process; return the sites that had any."""
    dropped: set[str] = set()
    for registry in list(_registries):
        dropped |= registry.drop_all_but(existing, made_before=made_before)
    return frozenset(dropped)


def close_all() -> None:
    """Close every site's snapshots in every registry of the process, as tests do between two worlds."""
    for registry in list(_registries):
        registry.close_all()


def _after_fork() -> None:
    for registry in list(_registries):
        registry.renew_lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
