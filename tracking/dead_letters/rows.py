"""Dead letters in the database: brought there from the log, sent again, discarded, forgotten."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

import msgspec
from asgiref.sync import async_to_sync
from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from tracking import keys
from tracking.access.sites import site_info
from tracking.contract.events import EventRecord, log_key
from tracking.contract.user_key import UserKey, anonymous_id_of, key_of_anonymous, key_of_user, user_id_of
from tracking.dead_letters.letter import TOPIC, DeadLetterRecord, decode_letter, revive
from tracking.dead_letters.parked import REASON, read_parked, revive_parked
from tracking.exceptions import InvalidEvent, LogUnavailable
from tracking.log import BEGINNING, EventLog, ForeignPosition, LogWriter, Record, open_log
from tracking.models import DeadLetter, Site
from tracking.records import encode_records
from tracking.redis_client import connect

logger = logging.getLogger(__name__)

REDIS_TIMEOUT_S: Final = 2.0
LOG_TIMEOUT_S: Final = 5.0
MAX_READ: Final = 2_000

IsErased: TypeAlias = Callable[[str, str, int], bool]
"""Whether what a user (site, user key) did up to a time (epoch milliseconds) must not come back."""


def nobody_erased(site: str, user_key: str, at_ms: int) -> bool:
    """Return False: for places that know of no erasures."""
    return False


def import_dead_letters(*, max_records: int = MAX_READ, is_erased: IsErased = nobody_erased) -> int:
    """Bring new letters from the log into the database; return how many are new. For a periodic task.

    Letters of users who were erased since are dropped.

    Where the reading goes on is kept in Redis, written after the rows: a crash in between, or a Redis that lost
    its data, reads letters again, and their fingerprint makes that harmless.

    Raises
    ------
    LogUnavailable
        The log cannot be reached; the next run goes on from the same place.
    """
    letters = _event_log().sibling(TOPIC)
    letters.ensure_topic(timeout_s=LOG_TIMEOUT_S)
    client = connect(settings.REDIS_URL, timeout_s=REDIS_TIMEOUT_S)
    try:
        name = keys.dead_letters_read(type(letters).__name__, letters.topic)
        stored: dict[bytes, bytes] = client.hgetall(name)  # type: ignore[assignment]  # redis-py's awaitable union
        read = {int(partition): position.decode() for partition, position in stored.items()}
        n_new = 0
        for partition, end in letters.end_positions(timeout_s=LOG_TIMEOUT_S).items():
            if read.get(partition, "") == end:
                continue
            records = _read_on(letters, partition, read.get(partition, BEGINNING), limit=max_records)
            found = []
            for record in records:
                try:
                    found.append(decode_letter(record.value))
                except InvalidEvent as error:
                    logger.error("dead_letters.unreadable position=%s reason=%s", record.position, error)
            n_new += _save([letter for letter in found if not _is_of_erased(letter, is_erased)])
            if records:
                read[partition] = records[-1].position
                client.hset(name, str(partition), records[-1].position)
        _trim(letters, read)
        return n_new
    finally:
        client.close()


def _read_on(letters: EventLog, partition: int, start: str, *, limit: int) -> list[Record]:
    """Return the next letters: also of a topic that was made again, whose letters nobody has read yet."""
    try:
        return letters.read_range(partition, start=start, limit=limit, timeout_s=LOG_TIMEOUT_S)
    except ForeignPosition as error:
        logger.error("dead_letters.log_replaced: reading from its beginning: %s", error)
        return letters.read_range(partition, limit=limit, timeout_s=LOG_TIMEOUT_S)


def resend(letters: Iterable[DeadLetter]) -> dict[int, str]:
    """Append what the letters hold to the event log again; return, by id, why some could not be sent.

    A letter is sent with its ``raw`` as it stands now, so that staff may have corrected it. Its site must still
    exist, and its record is checked like any other. Sent letters are marked; the events keep their ids, so
    sending twice counts once.

    Raises
    ------
    LogUnavailable
        The log cannot be reached; nothing was marked.
    """
    failures: dict[int, str] = {}
    sendable: list[DeadLetter] = []
    pairs: list[tuple[bytes, bytes]] = []
    owners: list[int] = []  # the letter of each pair
    for letter in letters:
        try:
            encoded = encode_records(_records_of(letter))
        except InvalidEvent as error:
            failures[letter.pk] = f"{error.field}: {error.reason}"
            continue
        sendable.append(letter)
        pairs += encoded
        owners += [letter.pk] * len(encoded)
    if not pairs:
        return failures
    outcomes = async_to_sync(_append)(_event_log(), pairs)
    failures |= {pk: str(outcome) for pk, outcome in zip(owners, outcomes, strict=True) if outcome is not None}
    now = timezone.now()
    for letter in sendable:
        if letter.pk not in failures:
            letter.status = DeadLetter.Status.RESENT
            letter.resolved_at = now
            letter.save(update_fields=["status", "resolved_at"])
    return failures


def _trim(letters: EventLog, read: dict[int, str]) -> None:
    for partition, position in read.items():
        try:
            letters.trim({partition: position} if position else {})
        except ForeignPosition as error:
            logger.warning("dead_letters.trim_waits error=%s", error)


def _records_of(letter: DeadLetter) -> list[EventRecord]:
    """Return what the letter holds; raises ``InvalidEvent`` where it is not of the letter's site, or still wrong."""
    parked = read_parked(bytes(letter.raw))
    record = None if parked is not None else revive(bytes(letter.raw))
    slug = parked.site if parked is not None else record.site if record is not None else ""
    if letter.site is None or letter.site.slug != slug:
        raise InvalidEvent("record.site", f"{slug!r} is not the site of this letter")
    if parked is not None:
        return revive_parked(parked, site=site_info(letter.site))
    return [record] if record is not None else []


def discard(letters: Iterable[DeadLetter]) -> int:
    """Mark letters as of no use; return how many."""
    ids = [letter.pk for letter in letters]
    return DeadLetter.objects.filter(pk__in=ids, status=DeadLetter.Status.NEW).update(
        status=DeadLetter.Status.DISCARDED, resolved_at=timezone.now()
    )


def forget_old(*, days: int) -> int:
    """Delete letters older than ``days``, whatever their status: they hold personal data; return how many."""
    deleted, _ = DeadLetter.objects.filter(occurred_at__lt=timezone.now() - timedelta(days=days)).delete()
    return deleted


def forget_user(site: Site, key: str) -> int:
    """Delete the letters of one user (``u:…`` or ``a:…``) of a site, for an erasure; return how many."""
    whole = log_key(site.slug, UserKey(key)).decode()
    # Parked envelopes of a server may tell of many users; what stands in them is not known yet, so it is searched.
    name = json.dumps(user_id_of(key) or anonymous_id_of(key), ensure_ascii=False).encode()
    parked = DeadLetter.objects.filter(site=site, reason=REASON).exclude(key=whole)
    of_many = [letter.pk for letter in parked.iterator(chunk_size=50) if name in bytes(letter.raw)]
    deleted, _ = DeadLetter.objects.filter(site=site).filter(Q(key=whole) | Q(pk__in=of_many)).delete()
    return deleted


def _is_of_erased(letter: DeadLetterRecord, is_erased: IsErased) -> bool:
    """Return whether a letter tells of somebody who was erased after it was sent.

    When the record of a stream worker's letter was sent is not known: it is dropped if its user ever was erased.
    """
    at_ms = letter.occurred_at_ms if letter.origin == "collect" else 0
    key_site, _, user_key = letter.key.decode(errors="replace").partition("/")
    site = letter.site or key_site
    return any(is_erased(site, name, at_ms) for name in (user_key, *_users_in(letter.raw)))


def _users_in(raw: bytes) -> Iterator[str]:
    """Yield the keys of all users that a letter names anywhere; nothing for one that cannot be read."""
    try:
        waiting: list[Any] = [msgspec.json.decode(raw)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            for name, key_of in (("user_id", key_of_user), ("anonymous_id", key_of_anonymous)):
                if isinstance(value.get(name), str):
                    yield key_of(value[name])
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _save(found: list[DeadLetterRecord]) -> int:
    unique = {letter.fingerprint: letter for letter in found}
    known = set(DeadLetter.objects.filter(fingerprint__in=list(unique)).values_list("fingerprint", flat=True))
    sites = {site.slug: site for site in Site.objects.filter(slug__in={letter.site for letter in found})}
    rows = [_row(letter, sites) for fingerprint, letter in unique.items() if fingerprint not in known]
    DeadLetter.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)
    return len(rows)


def _row(letter: DeadLetterRecord, sites: dict[str, Site]) -> DeadLetter:
    key = letter.key.decode(errors="replace")
    return DeadLetter(
        site=sites.get(letter.site or key.partition("/")[0]),
        reason=_text(letter.reason, 64),
        field=_text(letter.field, 300),
        detail=_text(letter.detail, 10_000),
        raw=letter.raw,
        key=_text(key, 300),
        origin=_text(letter.origin, 16),
        partition=letter.partition,
        position=_text(letter.position, 64),
        fingerprint=_text(letter.fingerprint, 64),
        occurred_at=datetime.fromtimestamp(letter.occurred_at_ms / 1000, tz=UTC),
    )


def _text(value: str, most: int) -> str:
    """Return what fits the column; PostgreSQL takes no U+0000."""
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}")[:most]


async def _append(events: EventLog, pairs: list[tuple[bytes, bytes]]) -> list[Any]:
    writer: LogWriter = events.writer()
    await writer.start()
    try:
        if not await writer.wait_ready(timeout_s=LOG_TIMEOUT_S):
            raise LogUnavailable(f"the event log did not answer within {LOG_TIMEOUT_S:g} s")
        return list(await writer.append_many(pairs, timeout_s=LOG_TIMEOUT_S))
    finally:
        await writer.close(timeout_s=1.0)


def _event_log() -> EventLog:
    return open_log(settings.EVENT_LOG_URL)
