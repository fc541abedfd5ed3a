"""Everything that is kept of one user: shown to them, or erased from every store, with a receipt.

A user is everything that any store knows them by (``closure``), and of a browser that several people use only what
is theirs (``ownership``). An erased user's events that still are in the log, in a spool or in a backup of the archive
do not come back: workers, the archive, the import of dead letters and replays refuse what happened before the erasure.
Of the user only a keyed hash is kept for that (``tombstones``). The log forgets records by its retention alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
from django.conf import settings
from django.dispatch import Signal

from features import keys
from features.archive.maintenance import erase_rows, read_table
from features.archive.rows import COLUMNS, DAY_MS, ONCE
from features.archive.writer import ArchiveFolder, date_of
from features.exceptions import StoreUnavailable
from features.models import Erasure, StoredProfile
from features.privacy import tombstones
from features.privacy.closure import find_ownership
from features.privacy.ownership import Ownership, Span
from features.privacy.tombstones import Tombstone
from features.state.orders.order import decode as decode_order
from features.state.purchases import hash64
from features.state.states import decode_profile, decode_session
from features.store import connections, orders
from features.store.redis_pipe import Command, borrowed, raise_errors
from tracking.collect import live_events
from tracking.contract.user_key import UserKey, anonymous_id_of, key_of_user
from tracking.dead_letters.rows import forget_user
from tracking.deferred import deferred
from tracking.models import Site
from tracking.quality import counts as quality_counts
from tracking.redis_client import UNAVAILABLE

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
else:
    pl = deferred("polars")
    pa = deferred("pyarrow")

ERASED_TTL_S: Final = keys.ERASED.ttl_s
"""For longer than a log or a spool keeps a record."""

user_erased: Final = Signal()
"""Sent within an erasure, for stores of applications above: ``site`` and ``rec_ids``, the replies the user met."""

NOT_LOOKED_AT: Final = [
    "the event log: its records end by its retention, and are refused wherever they are read",
    "backups of database and archive: run `manage.py sweep_erased` after one is restored",
    "aggregates that name nobody: counts of items and placements, trained models",
]
"""What a receipt says of the stores that an erasure cannot or need not look into."""

_DECODE: Final = msgspec.msgpack.Decoder(dict[int, int]).decode
_ENCODE: Final = msgspec.msgpack.Encoder().encode


def ownership_of(site: Site, *, user_id: str | None, anonymous_ids: Sequence[str] = ()) -> Ownership:
    """Return everything that a user is known by: what the caller says, and what Redis, database and archive know.

    Raises
    ------
    StoreUnavailable, OSError
        A store is unavailable: it may know of browsers that nothing else knows of.
    """
    known = known_browsers(site, user_id=user_id, anonymous_ids=anonymous_ids)
    return find_ownership(ArchiveFolder(settings.ARCHIVE_URL), site=site.slug, user_id=user_id, browsers=known)


def known_browsers(site: Site, *, user_id: str | None, anonymous_ids: Sequence[str] = ()) -> list[str]:
    """Return the anonymous ids that the caller says are the user's, and the newest ones that the profile names."""
    known = list(anonymous_ids)
    if user_id:
        own = key_of_user(user_id)
        for blob in (_redis_states(site.slug, own)["profile"], _stored_state(site, own)):
            if blob is not None:
                known += decode_profile(blob).aliases
    return list(dict.fromkeys(known))


def export_user(site: Site, *, user_id: str | None, anonymous_ids: Sequence[str] = ()) -> dict[str, Any]:
    """Return everything kept of a user, by store, as plain values.

    What is kept of a browser without a login is the user's where nobody else has logged in on it since.

    Raises
    ------
    StoreUnavailable, OSError
        A store is unavailable: the export would be incomplete.
    """
    whole = ownership_of(site, user_id=user_id, anonymous_ids=anonymous_ids)
    now_ms = time.time_ns() // 1_000_000
    mine = [key for key in whole.user_keys if _is_owned_now(whole, key, now_ms)]
    features: dict[str, Any] = {}
    stored: dict[str, Any] = {}
    for user_key in mine:
        states = _redis_states(site.slug, user_key)
        session, profile = states["session"], states["profile"]
        if session is not None or profile is not None:
            features[user_key] = {
                "session": msgspec.structs.asdict(decode_session(session)),
                "profile": msgspec.structs.asdict(decode_profile(profile)),
                "orders": _orders(site.slug, user_key),
            }
        kept = _stored_state(site, user_key)
        if kept is not None:
            stored[user_key] = msgspec.structs.asdict(decode_profile(kept))
    return {
        "user_keys": whole.user_keys, "features": features, "database": stored, "events": _events(site.slug, whole)
    }  # fmt: skip


def erase_user(site: Site, *, user_id: str | None, anonymous_ids: Sequence[str] = ()) -> dict[str, Any]:
    """Erase a user from Redis, database and archive, and keep its events from coming back; return the receipt.

    Who is erased is noted first, so that what fails midway is found again by the sweep (``features.privacy.sweep``).
    Safe to repeat: after a failure, call it again.

    Raises
    ------
    StoreUnavailable, OSError
        A store is unavailable: the erasure is not complete.
    """
    now_ms = time.time_ns() // 1_000_000
    folder = ArchiveFolder(settings.ARCHIVE_URL)
    whole = ownership_of(site, user_id=user_id, anonymous_ids=anonymous_ids)
    user_keys = whole.user_keys
    spans = {key: _spans(whole, key, now_ms) for key in user_keys}
    receipt: dict[str, Any] = {"erased_at_ms": now_ms, "user_keys": len(user_keys), "not_looked_at": NOT_LOOKED_AT}
    _note(site, folder, spans, receipt)
    keys_gone = (_erase_from_redis(site.slug, key, spans[key][-1][1], now_ms) for key in user_keys if spans[key])
    receipt["redis"] = {"keys": sum(keys_gone)}
    receipt["redis"]["keys"] += _forget_samples(site.slug, now_ms)
    receipt["dead_letters"] = {"rows": sum(forget_user(site, user_key) for user_key in user_keys)}
    rows, _ = StoredProfile.objects.filter(site=site, user_key__in=user_keys).delete()
    receipt["database"] = {"rows": rows}
    user_erased.send(sender=Erasure, site=site.slug, rec_ids=_recent_rec_ids(folder, site.slug, whole, now_ms))
    receipt["archive"] = erase_rows(folder, site=site.slug, rows=whole)
    _note(site, folder, spans, receipt)
    return receipt


def erased_check() -> Callable[[str, str, int], bool]:
    """Return a function that says whether an event must not come back; for replays."""
    spans_of = erased_spans(Erasure.objects.all())
    if not spans_of:
        return lambda site, user_key, at_ms: False
    return lambda site, user_key, at_ms: tombstones.is_erased(spans_of, site, user_key, at_ms)


def erased_spans(rows: Iterable[Erasure]) -> dict[str, list[Span]]:
    """Return the times that are gone by the hash of whom they are gone of."""
    return {row.user_hash: [(first, last) for first, last in row.spans] or [(0, row.erased_until_ms)] for row in rows}


def _note(site: Site, folder: ArchiveFolder, spans: Mapping[UserKey, list[Span]], receipt: dict[str, Any]) -> None:
    """Write down who is erased, in the database and beside the archive: whichever is restored meets the other."""
    for user_key, of_key in spans.items():
        name = tombstones.user_hash(site.slug, user_key)
        before = Erasure.objects.filter(site=site, user_hash=name)
        stone = Tombstone(site=site.slug, user_hash=name, spans=of_key).joined(erased_spans(before).get(name, ()))
        Erasure.objects.update_or_create(
            site=site,
            user_hash=name,
            defaults={"erased_until_ms": stone.erased_until_ms, "spans": stone.spans, "receipt": receipt},
        )
        tombstones.write(folder, stone)


def _spans(whole: Ownership, user_key: UserKey, now_ms: int) -> list[Span]:
    browser = anonymous_id_of(user_key)
    return [(0, now_ms)] if browser is None else whole.spans(browser, now_ms)


def _is_owned_now(whole: Ownership, user_key: UserKey, now_ms: int) -> bool:
    spans = _spans(whole, user_key, now_ms)
    return bool(spans) and spans[-1][1] >= now_ms


def _recent_rec_ids(folder: ArchiveFolder, site: str, whole: Ownership, now_ms: int) -> list[str]:
    """Return the ids of the replies that the user met in the last two days; explanations are kept for one."""
    found: set[str] = set()
    for day in (now_ms // DAY_MS - 1, now_ms // DAY_MS):
        for path in folder.files(site=site, date=date_of(day)):
            table = read_table(folder, path, columns=(*whole.columns, "rec_id"))
            mine = pl.Series(table["rec_id"].to_pylist(), dtype=pl.String).filter(whole.mask(table))
            found |= set(mine.drop_nulls().to_list())
    return sorted(found)


def _erase_from_redis(site: str, user_key: UserKey, until_ms: int, now_ms: int) -> int:
    """Delete a user's keys and note the erasure up to ``until_ms``, in one transaction that the user's worker notices.

    Setting the position to what it is makes a batch fail that was read before: it is read again, without the user.
    """
    client, name = connections.client(), connections.log_name()
    partition = keys.partition_of(site, user_key, connections.partitions())
    position, erased = keys.position(partition, name), keys.erased(partition, site)
    states = [spell(partition, site, user_key) for spell in (keys.session, keys.profile, keys.segment)]
    index = keys.orders_of_user(partition, site, user_key)
    released = 0
    while True:
        with borrowed(client, position) as pipe:
            answers = pipe.send([("WATCH", position, erased), ("MGET", position, erased), ("SMEMBERS", index)])
            raise_errors(client, answers)
            stood, noted = answers[1]
            hashes = sorted(map(int, answers[2]))
            # Who repeats what failed midway finds the orders as long as the set of them is there.
            released += orders.release(client, site, user_key, hashes)
            gone = [*states, *(keys.order(partition, site, user_key, hashed) for hashed in hashes), index]
            users = _DECODE(noted) if noted else {}
            users = {key: at_ms for key, at_ms in users.items() if at_ms > now_ms - ERASED_TTL_S * 1_000}
            users[hash64(user_key)] = max(until_ms, users.get(hash64(user_key), -1))
            commands: list[Command] = [("DEL", *gone), ("SET", erased, _ENCODE(users), "EX", ERASED_TTL_S)]
            if stood is not None:
                commands.append(("SET", position, stood))
            answers = pipe.send([("MULTI",), *commands, ("EXEC",)])
            if answers[-1] is None:
                continue  # the worker wrote meanwhile
            raise_errors(client, answers)
            return released + int(answers[-1][0])


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


def _orders(site: str, user_key: UserKey) -> list[dict[str, Any]]:
    partition = keys.partition_of(site, user_key, connections.partitions())
    found = orders.orders_of(connections.client(), partition, site, user_key)
    return [_plain(decode_order(blob)) for blob in found.values()]


def _plain(value: Any) -> Any:
    """Return structs as mappings by the names of their fields, whatever they are inside of."""
    if isinstance(value, msgspec.Struct):
        return {name: _plain(one) for name, one in msgspec.structs.asdict(value).items()}
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _stored_state(site: Site, user_key: UserKey) -> bytes | None:
    row = StoredProfile.objects.filter(site=site, user_key=user_key).only("state").first()
    return bytes(row.state) if row else None


def _events(site: str, whole: Ownership) -> list[dict[str, Any]]:
    folder = ArchiveFolder(settings.ARCHIVE_URL)
    found: list[dict[str, Any]] = []
    for path in folder.files(site=site):
        table: pa.Table = read_table(folder, path, columns=COLUMNS)
        found += cast("pl.DataFrame", pl.from_arrow(table)).filter(whole.mask(table)).to_dicts()
    # Files that are not joined yet may hold a row twice: the log gives what was acknowledged too late again.
    once = {tuple(row[name] for name in ONCE): row for row in reversed(found)}
    return sorted(once.values(), key=lambda row: (row["occurred_at_ms"], row["event_id"], row["row"]))
