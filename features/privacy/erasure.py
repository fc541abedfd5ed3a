"""Everything that is kept of one user: shown to them, or erased from every store, with a receipt.

An erased user's events that still are in the log, in a spool or in a backup of the archive do not come back:
workers, the archive, the import of dead letters and replays refuse what happened before the erasure. Of the user only
a hash is kept for that. The log itself forgets records by its retention, and by nothing else.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import msgspec
import polars as pl
import pyarrow as pa
from django.conf import settings

from features import keys
from features.archive.maintenance import erase_users, read_table
from features.archive.rows import COLUMNS
from features.archive.writer import ArchiveFolder
from features.exceptions import StoreUnavailable
from features.models import Erasure, StoredProfile
from features.state.purchases import hash64
from features.state.states import decode_profile, decode_session
from features.store import connections
from features.store.redis_pipe import Command, borrowed, raise_errors
from tracking.collect import live_events
from tracking.contract.user_key import UserKey, anonymous_ids_of, key_of_anonymous, key_of_user, user_ids_of
from tracking.dead_letters.rows import forget_user
from tracking.models import Site
from tracking.quality import counts as quality_counts
from tracking.redis_client import UNAVAILABLE

ERASED_TTL_S: Final = keys.ERASED.ttl_s
"""For longer than a log or a spool keeps a record."""

_DECODE: Final = msgspec.msgpack.Decoder(dict[int, int]).decode
_ENCODE: Final = msgspec.msgpack.Encoder().encode


def user_keys_of(site: Site, *, user_id: str | None, anonymous_ids: Sequence[str] = ()) -> list[UserKey]:
    """Return all keys of a user: the ones given, and the anonymous ids that the user's states name."""
    found = [key_of_user(user_id)] if user_id else []
    known = list(anonymous_ids)
    if user_id:
        for blob in (_redis_states(site.slug, found[0])["profile"], _stored_state(site, found[0])):
            if blob is not None:
                known += decode_profile(blob).aliases
    return [*found, *(key_of_anonymous(one) for one in dict.fromkeys(known))]


def export_user(site: Site, *, user_id: str | None, anonymous_ids: Sequence[str] = ()) -> dict[str, Any]:
    """Return everything kept of a user, by store, as plain values.

    Raises
    ------
    StoreUnavailable, OSError
        A store is unavailable: the export would be incomplete.
    """
    user_keys = user_keys_of(site, user_id=user_id, anonymous_ids=anonymous_ids)
    features: dict[str, Any] = {}
    stored: dict[str, Any] = {}
    for user_key in user_keys:
        states = _redis_states(site.slug, user_key)
        session, profile = states["session"], states["profile"]
        if session is not None or profile is not None:
            features[user_key] = {
                "session": msgspec.structs.asdict(decode_session(session)),
                "profile": msgspec.structs.asdict(decode_profile(profile)),
            }
        kept = _stored_state(site, user_key)
        if kept is not None:
            stored[user_key] = msgspec.structs.asdict(decode_profile(kept))
    return {"user_keys": user_keys, "features": features, "database": stored, "events": _events(site.slug, user_keys)}


def erase_user(site: Site, *, user_id: str | None, anonymous_ids: Sequence[str] = ()) -> dict[str, Any]:
    """Erase a user from Redis, database and archive, and keep its events from coming back; return the receipt.

    Safe to repeat: after a failure, call it again.

    Raises
    ------
    StoreUnavailable, OSError
        A store is unavailable: the erasure is not complete.
    """
    now_ms = time.time_ns() // 1_000_000
    user_keys = user_keys_of(site, user_id=user_id, anonymous_ids=anonymous_ids)
    receipt: dict[str, Any] = {"erased_at_ms": now_ms, "user_keys": len(user_keys)}
    receipt["redis"] = {"keys": sum(_erase_from_redis(site.slug, user_key, now_ms) for user_key in user_keys)}
    receipt["redis"]["keys"] += _forget_samples(site.slug, now_ms)
    receipt["dead_letters"] = {"rows": sum(forget_user(site, user_key) for user_key in user_keys)}
    rows, _ = StoredProfile.objects.filter(site=site, user_key__in=user_keys).delete()
    receipt["database"] = {"rows": rows}
    receipt["archive"] = erase_users(
        ArchiveFolder(settings.ARCHIVE_URL),
        site=site.slug,
        user_ids=user_ids_of(user_keys),
        anonymous_ids=anonymous_ids_of(user_keys),
    )
    for user_key in user_keys:
        Erasure.objects.update_or_create(
            site=site,
            user_hash=user_hash(site.slug, user_key),
            defaults={"erased_until_ms": now_ms, "receipt": receipt},
        )
    return receipt


def user_hash(site: str, user_key: str) -> str:
    """Return what is kept of an erased user."""
    return hashlib.sha256(f"{site}/{user_key}".encode()).hexdigest()


def erased_check() -> Callable[[str, str, int], bool]:
    """Return a function that says whether an event must not come back; for replays."""
    until = dict(Erasure.objects.values_list("user_hash", "erased_until_ms"))
    if not until:
        return lambda site, user_key, at_ms: False
    return lambda site, user_key, at_ms: at_ms <= until.get(user_hash(site, user_key), -1)


def _erase_from_redis(site: str, user_key: UserKey, now_ms: int) -> int:
    """Delete a user's keys and note the erasure, in one transaction that the user's worker notices.

    Setting the position to what it is makes a batch fail that was read before: it is read again, without the user.
    """
    client, name = connections.client(), connections.log_name()
    partition = keys.partition_of(site, user_key, connections.partitions())
    position, erased = keys.position(partition, name), keys.erased(partition, site)
    gone = [spell(partition, site, user_key) for spell in (keys.session, keys.profile, keys.segment)]
    while True:
        with borrowed(client, position) as pipe:
            answers = pipe.send([("WATCH", position, erased), ("MGET", position, erased)])
            raise_errors(client, answers)
            stood, noted = answers[1]
            users = _DECODE(noted) if noted else {}
            users = {key: at_ms for key, at_ms in users.items() if at_ms > now_ms - ERASED_TTL_S * 1_000}
            users[hash64(user_key)] = now_ms
            commands: list[Command] = [("DEL", *gone), ("SET", erased, _ENCODE(users), "EX", ERASED_TTL_S)]
            if stood is not None:
                commands.append(("SET", position, stood))
            answers = pipe.send([("MULTI",), *commands, ("EXEC",)])
            if answers[-1] is None:
                continue  # the worker wrote meanwhile
            raise_errors(client, answers)
            return int(answers[-1][0])


def _forget_samples(site: str, now_ms: int) -> int:
    """Drop what the staff's pages show of whoever came by: it is not kept by user, and is soon there again."""
    try:
        client = connections.client()
        return live_events.forget(client, site) + quality_counts.forget(client, site, now_ms=now_ms)
    except UNAVAILABLE as error:
        raise StoreUnavailable(f"Redis: {error}") from error


def _redis_states(site: str, user_key: UserKey) -> dict[str, bytes | None]:
    client = connections.client()
    partition = keys.partition_of(site, user_key, connections.partitions())
    wanted = [spell(partition, site, user_key) for spell in (keys.session, keys.profile)]
    with borrowed(client, wanted[0]) as pipe:
        answers = pipe.send([("MGET", *wanted)])
        raise_errors(client, answers)
    return {"session": answers[0][0], "profile": answers[0][1]}


def _stored_state(site: Site, user_key: UserKey) -> bytes | None:
    row = StoredProfile.objects.filter(site=site, user_key=user_key).only("state").first()
    return bytes(row.state) if row else None


def _events(site: str, user_keys: Sequence[UserKey]) -> list[dict[str, Any]]:
    folder = ArchiveFolder(settings.ARCHIVE_URL)
    user_ids = user_ids_of(user_keys)
    anonymous_ids = anonymous_ids_of(user_keys)
    mine = pl.col("user_id").is_in(user_ids) | pl.col("anonymous_id").is_in(anonymous_ids)
    found: list[dict[str, Any]] = []
    for path in folder.files(site=site):
        table: pa.Table = read_table(folder, path, columns=COLUMNS)
        found += cast("pl.DataFrame", pl.from_arrow(table)).filter(mine).to_dicts()
    return sorted(found, key=lambda row: (row["occurred_at_ms"], row["event_id"], row["row"]))
