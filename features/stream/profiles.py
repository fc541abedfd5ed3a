"""Profiles that last: written behind to the database, and read back when a user returns after Redis forgot.

The worker that meets a user whom Redis does not know begins a new profile at once, marked as partially loaded, and
requests the stored one here. The answer is merged into what has been counted meanwhile, in the worker's own
transaction: one writer, and the database may be slow or unavailable for as long as it likes.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

import redis
from django.conf import settings
from django.db import DatabaseError, close_old_connections
from django.db import connections as connections_of_thread
from django.utils import timezone

from features import keys
from features.isolation import isolated
from features.models import StoredProfile
from features.state.batch import User
from features.state.states import decode_profile
from features.store import connections
from features.store.redis_pipe import borrowed, raise_errors
from features.store.scan import scan_states
from tracking.models import Site

logger = logging.getLogger(__name__)

CHUNK: Final = 500
MAX_WAITING: Final = 50_000
RETRY_S: Final = 1.0
RESTORE_CHECK_S: Final = 60.0


def write_behind(client: redis.Redis, site: Site, *, partitions: int, since_s: float | None) -> int:
    """Store the profiles of a site that changed in the last ``since_s`` seconds (``None``: all); return how many.

    What changed is told by its TTL, which every write resets. Memory: one chunk.

    Raises
    ------
    StoreUnavailable, DatabaseError
        Nothing is lost: the next run stores what this one did not.
    """
    stored_count = 0
    chunk: dict[str, bytes] = {}
    oldest_pttl = None if since_s is None else settings.PROFILE_TTL_S * 1_000 - since_s * 1_000
    for partition in range(partitions):
        for state in scan_states(
            client, partitions=partitions, view=keys.PROFILE, site=site.slug, only_partition=partition
        ):
            chunk[state.user_key] = state.blob
            if len(chunk) >= CHUNK:
                stored_count += _store(client, site, partition, chunk, oldest_pttl)
                chunk = {}
        stored_count += _store(client, site, partition, chunk, oldest_pttl)
        chunk = {}
    return stored_count


def _store(client: redis.Redis, site: Site, partition: int, chunk: dict[str, bytes], oldest_pttl: float | None) -> int:
    if not chunk:
        return 0
    if oldest_pttl is not None:
        with borrowed(client, keys.prefix(partition)) as pipe:
            ttls = pipe.send([("PTTL", keys.profile(partition, site.slug, user_key)) for user_key in chunk])
            raise_errors(client, ttls)
        chunk = {name: blob for (name, blob), ttl in zip(chunk.items(), ttls, strict=True) if ttl >= oldest_pttl}
    now = timezone.now()
    rows = []
    for user_key, blob in chunk.items():
        profile = decode_profile(blob)
        if profile.is_fully_loaded:  # one that still waits for its past must not replace it
            rows.append(
                StoredProfile(site=site, user_key=user_key, state=blob, newest_ms=profile.newest_ms, stored_at=now)
            )
    StoredProfile.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["site", "user_key"],
        update_fields=["state", "newest_ms", "stored_at"],
    )
    return len(rows)


class ProfileArchive:
    """Answers a stream worker's questions for forgotten profiles from a thread of its own."""

    def __init__(self) -> None:
        self._requested: queue.Queue[User] = queue.Queue(MAX_WAITING)
        self._answers: queue.SimpleQueue[tuple[User, bytes | None]] = queue.SimpleQueue()
        self._waiting: set[User] = set()
        self._sites_with_past: frozenset[str] | None = None
        self._next_check_at = 0.0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to answer."""
        self._thread = threading.Thread(target=self._run, name="profile-archive", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering; what was requested is requested again when its user comes again."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(5.0)

    def request(self, users: Iterable[User]) -> None:
        """Request users that Redis does not know; never blocks. One request too many is repeated later."""
        for user in users:
            if user in self._waiting:
                continue
            try:
                self._requested.put_nowait(user)
            except queue.Full:
                return
            self._waiting.add(user)

    def answers(self) -> dict[User, bytes | None]:
        """Return what was found since the last call; ``None`` for users the database does not know either."""
        found: dict[User, bytes | None] = {}
        while True:
            try:
                user, blob = self._answers.get_nowait()
            except queue.Empty:
                return found
            found[user] = blob
            self._waiting.discard(user)

    def may_know(self, site: str) -> bool:
        """Return whether Redis may have forgotten users of the site; yes, until the database was asked."""
        return self._sites_with_past is None or site in self._sites_with_past

    def _run(self) -> None:
        users: list[User] = []
        while not self._stop.is_set():
            try:
                self._check_sites()
                users = users or self._next_users()
                self._answer(users)
                users = []
            except DatabaseError as error:
                logger.warning("profiles.database_unavailable waiting=%s error=%s", len(users), error)
                close_old_connections()
                self._stop.wait(RETRY_S)
        connections_of_thread.close_all()

    def _next_users(self) -> list[User]:
        try:
            users = [self._requested.get(timeout=0.2)]
        except queue.Empty:
            return []
        while len(users) < CHUNK:
            try:
                users.append(self._requested.get_nowait())
            except queue.Empty:
                break
        return users

    def _check_sites(self) -> None:
        if time.monotonic() < self._next_check_at:
            return
        # A profile can only have been forgotten by Redis when it was stored a TTL ago, give or take a day.
        oldest = timezone.now() - timedelta(seconds=settings.PROFILE_TTL_S) + timedelta(days=1)
        rows = StoredProfile.objects.filter(stored_at__lt=oldest).order_by().values_list("site__slug", flat=True)
        self._sites_with_past = frozenset(rows.distinct())
        self._next_check_at = time.monotonic() + RESTORE_CHECK_S

    def _answer(self, users: list[User]) -> None:
        found: dict[User, bytes] = {}
        for site in {site for site, _ in users if self.may_know(site)}:
            wanted = [user_key for user_site, user_key in users if user_site == site]
            for user_key, state in StoredProfile.objects.filter(site__slug=site, user_key__in=wanted).values_list(
                "user_key", "state"
            ):
                found[(site, user_key)] = bytes(state)
        for user in users:
            self._answers.put((user, found.get(user)))


def interval_since(last_run_s: float | None) -> float | None:
    """Return for how long back a run must look: since the last one, with a margin for clocks."""
    return None if last_run_s is None else time.time() - last_run_s + 120.0


def store_changed_profiles() -> dict[str, int]:
    """Store the changed profiles of all sites, and remember in Redis when that was done."""
    client = connections.client()
    counts: dict[str, int] = {}
    for site in Site.objects.all():
        with isolated("store-profiles", site.slug):
            key = keys.write_behind_run(site.slug)
            last = client.get(key)
            started = time.time()
            since_s = interval_since(float(last) if isinstance(last, bytes | str) else None)
            counts[site.slug] = write_behind(client, site, partitions=connections.partitions(), since_s=since_s)
            client.set(key, str(started), ex=keys.WRITE_BEHIND.ttl_s)
    return counts
