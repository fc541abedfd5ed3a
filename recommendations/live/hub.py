"""Who is connected to this process, and whose lists have to be looked at again.

Three things make a list stale: events of the user (the stream worker announces whose features changed), a placement or
rule was changed or its schedule begins or ends, or a shown item is no longer available. The hub hears of each and wakes
the pages concerned, nobody else: one message to a thousand sockets costs more than a hundred milliseconds. Pages whose
user has new events wait for nobody: pages that a rule concerns have a queue of their own, and take only free slots.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol
from weakref import WeakKeyDictionary

from features.stream.notify import TRACES, Changed, listen_changed, traced_users
from recommendations.metrics import LIVE_SOCKETS
from recommendations.pipeline.query import PlacementSpec
from recommendations.state.placements import watch_placements
from recommendations.state.site import SiteServing, watch_site
from tracking.access.sites import Keys, SiteInfo
from tracking.access.sites import keys as key_snapshot

logger = logging.getLogger(__name__)

CHECK_EVERY_S: Final = 0.25
PAGES_A_SLICE: Final = 200
"""How many pages are looked at before others get the event loop again."""

MAX_REFRESHES: Final = 8
"""Pages whose lists are made at the same time; the rest of a crowd waits in order."""

SOCKETS_PER_ADDRESS: Final = 100
MOST_SOCKETS: Final = 20_000
"""In one process, whoever they are: about 620 MB (benchmarks/live.py)."""


class LivePage(Protocol):
    """An open page, as the hub sees it."""

    site: str
    user_keys: tuple[str, ...]
    address: str
    key_id: int | str
    has_token: bool
    """Whether it came with an OAuth2 token, which may be taken back alone."""
    proof_until: float

    @property
    def placement_names(self) -> frozenset[str]:
        """The placements whose lists the page shows."""
        ...

    def wake(self, cause: str, *, traceparent: str = "") -> None:
        """Look at the page's lists again, soon; several calls before that are one."""
        ...

    def shows_any_gone(self, serving: SiteServing) -> bool:
        """Return whether an item on the page can no longer be had."""
        ...

    async def shut(self, code: int, reason: str) -> None:
        """Close the socket."""
        ...

    async def prove_again(self) -> None:
        """Look again whether what the page said of itself holds, and close it where its key is taken no longer.

        Called once ``proof_until`` (epoch seconds) is over, and when the key or its site changed.
        """
        ...


_Known = tuple[Mapping[str, PlacementSpec], SiteServing]


class LiveHub:
    """The open pages of one event loop; its tasks run while there is a page."""

    def __init__(self) -> None:
        self.slots = asyncio.Semaphore(MAX_REFRESHES)
        self._pages: set[LivePage] = set()
        self._by_user: dict[tuple[str, str], set[LivePage]] = {}
        self._by_address: dict[str, int] = {}
        self._n_sockets = 0
        self._known: dict[str, _Known] = {}
        self._crowd: dict[LivePage, str] = {}  # pages that wait their turn, in order, and why
        self._crowd_waits = asyncio.Event()
        self._looked_at_ms = int(time.time() * 1000)
        self._tasks: list[asyncio.Task[None]] = []
        self._proofs: set[asyncio.Task[None]] = set()
        self._keys: Keys | None = None
        self._sites: Mapping[str, SiteInfo] = {}

    def __len__(self) -> int:
        return len(self._pages)

    def count_in(self, address: str) -> bool:
        """Count a socket, before it says who it is for, and return whether it may stay."""
        if self._by_address.get(address, 0) >= SOCKETS_PER_ADDRESS or self._n_sockets >= MOST_SOCKETS:
            return False
        self._by_address[address] = self._by_address.get(address, 0) + 1
        self._n_sockets += 1
        return True

    def count_out(self, address: str) -> None:
        """Count a socket no longer."""
        self._n_sockets -= 1
        left = self._by_address[address] - 1
        if left:
            self._by_address[address] = left
        else:
            del self._by_address[address]

    def join(self, page: LivePage) -> None:
        """Begin to look after a page."""
        self._pages.add(page)
        for user_key in page.user_keys:
            self._by_user.setdefault((page.site, user_key), set()).add(page)
        LIVE_SOCKETS.set(len(self._pages))
        if page.site not in self._known and (state := _state_of(page.site)) is not None:
            # Before the page's lists are made: what changes between them and the next look concerns the page.
            self._known[page.site] = state
        if not self._tasks:
            self._tasks = [
                asyncio.create_task(listen_changed(self.features_changed), name="live-changed"),
                asyncio.create_task(self._watch(), name="live-watch"),
                asyncio.create_task(self._let_in(), name="live-crowd"),
            ]

    def leave(self, page: LivePage) -> None:
        """Forget a page; harmless for one that never joined."""
        if page not in self._pages:
            return
        self._pages.discard(page)
        for user_key in page.user_keys:
            pages = self._by_user.get((page.site, user_key))
            if pages is not None:
                pages.discard(page)
                if not pages:
                    del self._by_user[page.site, user_key]
        self._crowd.pop(page, None)
        LIVE_SOCKETS.set(len(self._pages))

    def features_changed(self, changed: Changed) -> None:
        """Wake the pages of these users; most announcements concern none of ours."""
        by_user = self._by_user
        traced = traced_users(changed) if TRACES in changed else {}
        for site, user_keys in changed.items():
            for user_key in user_keys:
                for page in by_user.get((site, user_key), ()):
                    page.wake("features", traceparent=traced.get((site, user_key), ""))

    async def look(self) -> None:
        """Look once whether placements, rules, stock, keys or the time changed, and wake or close who is concerned."""
        await self._prove_again()
        since_ms, self._looked_at_ms = self._looked_at_ms, int(time.time() * 1000)
        for site in {page.site for page in self._pages}:
            new = _state_of(site)
            if new is None:
                continue
            old = self._known.get(site)
            self._known[site] = new
            if old is not None:
                await self._compare(site, old, new)
            turned = watch_placements(site).current().turned_between(since_ms, self._looked_at_ms)
            if turned:
                await self._each(site, _shows_any_of(turned), "rules")

    async def _compare(self, site: str, old: _Known, new: _Known) -> None:
        (old_placements, before), (new_placements, serving) = old, new
        if new_placements is not old_placements:
            names = new_placements.keys() | old_placements.keys()
            changed = frozenset(name for name in names if new_placements.get(name) != old_placements.get(name))
            if changed:
                await self._each(site, _shows_any_of(changed), "rules")
        if serving.item_index.catalogue is not before.item_index.catalogue:
            await self._each(site, lambda page: page.shows_any_gone(serving), "stock")

    async def close(self) -> None:
        """Close every socket with 1012: the client connects again, to another process."""
        for task in self._tasks:
            task.cancel()
        self._tasks = []
        pages = list(self._pages)
        for start in range(0, len(pages), PAGES_A_SLICE):
            await asyncio.gather(
                *(page.shut(1012, "restarting") for page in pages[start : start + PAGES_A_SLICE]),
                return_exceptions=True,
            )

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            try:
                await self.look()
            except Exception:  # an edge: the watch must outlive one bad look
                logger.exception("live.look_failed")

    async def _each(self, site: str, concerns: Callable[[LivePage], bool], cause: str) -> None:
        for number, page in enumerate(self._of(site)):
            if concerns(page):
                self._crowd.setdefault(page, cause)
                self._crowd_waits.set()
            if number % PAGES_A_SLICE == PAGES_A_SLICE - 1:
                await asyncio.sleep(0)

    async def _let_in(self) -> None:
        """Wake the pages of the crowd one after the other, each when a slot is free."""
        while True:
            await self._crowd_waits.wait()
            self._crowd_waits.clear()
            while self._crowd:
                async with self.slots:
                    pass
                if not self._crowd:
                    break
                page = next(iter(self._crowd))
                page.wake(self._crowd.pop(page))
                await asyncio.sleep(0)  # it takes its slot

    async def _prove_again(self) -> None:
        """Let pages prove themselves whose time is over, or whose key, token or site is not what it was."""
        if not key_snapshot.is_loaded:
            return
        keys, now = key_snapshot.current(), time.time()
        is_new = keys is not self._keys
        changed = {site for site in self._sites if keys.by_slug.get(site) != self._sites[site]} if is_new else set()
        if is_new:
            self._keys, self._sites = keys, keys.by_slug
        live = keys.live_ids(now=now)
        for number, page in enumerate(list(self._pages)):
            if (
                page.proof_until <= now
                or page.key_id not in live
                or (is_new and (page.has_token or page.site in changed))
            ):
                # Not waited for: a page that reads nothing must not keep the others from being closed.
                task = asyncio.create_task(page.prove_again(), name="live-proof")
                self._proofs.add(task)
                task.add_done_callback(self._proofs.discard)
            if number % PAGES_A_SLICE == PAGES_A_SLICE - 1:
                await asyncio.sleep(0)

    def _of(self, site: str) -> Iterable[LivePage]:
        return [page for page in self._pages if page.site == site]


def _state_of(site: str) -> _Known | None:
    """Return what the lists of a site are made from now; None while it is not loaded."""
    placements, serving = watch_placements(site), watch_site(site)
    if not placements.is_loaded or not serving.is_loaded:
        return None
    return placements.current().by_name, serving.current()


def _shows_any_of(names: frozenset[str]) -> Callable[[LivePage], bool]:
    return lambda page: not names.isdisjoint(page.placement_names)


_hubs: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, LiveHub]] = WeakKeyDictionary()


def hub() -> LiveHub:
    """Return the hub of this event loop."""
    loop = asyncio.get_running_loop()
    found = _hubs.get(loop)
    if found is None:
        found = _hubs[loop] = LiveHub()
    return found


async def close_hub() -> None:
    """Close every socket of this event loop."""
    found = _hubs.pop(asyncio.get_running_loop(), None)
    if found is not None:
        await found.close()
