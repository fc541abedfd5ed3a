"""Dead letters: what they hold, how they come into the database, and how they are sent again."""

from __future__ import annotations

import asyncio
import uuid

import msgspec
import pytest
from django.conf import settings as django_settings

from tracking.contract.events import SCHEMA_VERSION, EventRecord, log_key
from tracking.contract.parsing import Rejected, parse_envelope, parse_record
from tracking.dead_letters import rows as dead_letter_rows
from tracking.dead_letters.letter import (
    MAX_WAITING,
    TOPIC,
    DeadLetterOutbox,
    DeadLetterRecord,
    decode_letter,
    encode_letter,
    from_rejected,
    revive,
)
from tracking.exceptions import FutureSchema, InvalidEvent, LogUnavailable
from tracking.log import EventLog, open_log
from tracking.log.memory import MemoryLog
from tracking.models import DeadLetter, Site

ANONYMOUS_ID = "0123456789abcdef0123456789abcdef"
RECEIVED_MS = 1_700_000_000_000
HEAD = EventRecord(v=SCHEMA_VERSION, site="shop", received_at_ms=RECEIVED_MS, anonymous_id=ANONYMOUS_ID)
KEY = log_key("shop", HEAD.user_key)


def view(item_id: object = "sku-1", *, ts: int = RECEIVED_MS - 5_000) -> dict[str, object]:
    return {
        "event_id": str(uuid.uuid4()),
        "event": "view_item",
        "ts": ts,
        "session_id": "s-1",
        "params": {"items": [{"item_id": item_id}]},
    }


def rejected_event(event: dict[str, object]) -> Rejected:
    body = msgspec.json.encode({"anonymous_id": ANONYMOUS_ID, "events": [event]})
    [rejected] = parse_envelope(body, max_events=10).rejected
    return rejected


def letter_of(event: dict[str, object], *, sent_at: int | None = RECEIVED_MS) -> DeadLetterRecord:
    return from_rejected(rejected_event(event), head=HEAD, key=KEY, sent_at=sent_at)


def test_a_refused_event_stands_in_its_letter_byte_by_byte():
    rejected = rejected_event(view(item_id=17))
    letter = from_rejected(rejected, head=HEAD, key=KEY, sent_at=RECEIVED_MS)

    assert (letter.reason, letter.site, letter.origin, letter.key) == ("invalid_event", "shop", "collect", KEY)
    assert "item_id" in letter.field
    assert rejected.raw in letter.raw
    assert decode_letter(encode_letter(letter)) == letter


def test_the_same_bad_event_again_is_the_same_letter_and_another_is_another():
    event = view(item_id=17)
    assert letter_of(event).fingerprint == letter_of(event).fingerprint
    assert letter_of(event).fingerprint != letter_of(view(item_id=18)).fingerprint


def test_a_corrected_letter_becomes_a_record_on_the_servers_clock():
    letter = letter_of(view(item_id=17), sent_at=RECEIVED_MS + 3_600_000)  # the page's clock is an hour ahead
    record = revive(letter.raw.replace(b'"item_id":17', b'"item_id":"17"'))

    assert (record.site, record.anonymous_id, record.v) == ("shop", ANONYMOUS_ID, SCHEMA_VERSION)
    [event] = record.events
    assert event.occurred_at_ms == RECEIVED_MS - 5_000 - 3_600_000


def test_a_letter_that_was_not_corrected_is_refused_with_field_and_reason():
    with pytest.raises(InvalidEvent, match="item_id"):
        revive(letter_of(view(item_id=17)).raw)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
        (b'{"v":"1.0","site":"shop","received_at_ms":1}', "nothing to send"),
        (b'{"v":"one","site":"shop","received_at_ms":1,"events":[{}]}', "cannot be read"),
        (b'{"v":"1.0","site":"shop","received_at_ms":"now","events":[{}]}', "cannot be read"),
    ],
)
def test_bytes_that_are_no_record_are_refused(raw, message):
    with pytest.raises(InvalidEvent, match=message):
        revive(raw)


def test_a_record_of_a_newer_schema_stays_parked():
    with pytest.raises(FutureSchema):
        revive(b'{"v":"99.0","site":"shop","received_at_ms":1,"events":[{}]}')


def test_a_record_without_a_user_is_refused():
    raw = letter_of(view(item_id=17)).raw.replace(b'"item_id":17', b'"item_id":"17"')
    with pytest.raises(InvalidEvent, match="neither anonymous_id nor user_id"):
        revive(raw.replace(f'"anonymous_id":"{ANONYMOUS_ID}",'.encode(), b""))


async def test_letters_wait_while_the_log_is_down_and_go_in_order_when_it_is_back():
    events = MemoryLog(name="outbox")
    letters = [letter_of(view(item_id=number)) for number in range(20)]
    events.sibling(TOPIC).fail_with(LogUnavailable("down"))
    outbox = DeadLetterOutbox(events)
    await outbox.start()
    outbox.add(letters)
    with pytest.raises(LogUnavailable):
        await outbox.flush()
    assert list(events.sibling(TOPIC).read_all(0)) == []

    events.sibling(TOPIC).fail_with(None)
    await outbox.close()
    found = [record for partition in range(4) for record in events.sibling(TOPIC).read_all(partition)]
    assert [decode_letter(record.value) for record in found] == letters
    MemoryLog.forget_all()


async def test_a_flood_of_letters_is_cut():
    outbox = DeadLetterOutbox(MemoryLog(name="flood"))
    outbox.add([letter_of(view(item_id=17))] * (MAX_WAITING * 2))
    assert len(outbox._flusher) == MAX_WAITING
    MemoryLog.forget_all()


# From here on with the database and a real Redis.


@pytest.fixture
def event_log(redis_url, settings) -> EventLog:
    settings.REDIS_URL = redis_url
    settings.EVENT_LOG_URL = f"{redis_url}?stream=t-{uuid.uuid4().hex}&partitions=2&keep_records=1"
    return open_log(django_settings.EVENT_LOG_URL)


@pytest.fixture
def site(db) -> Site:
    return Site.objects.get_or_create(slug="shop")[0]


def put(log: EventLog, pairs: list[tuple[bytes, bytes]]) -> None:
    async def run() -> None:
        writer = log.writer()
        await writer.start()
        assert await writer.append_many(pairs, timeout_s=10) == [None] * len(pairs)
        await writer.close()

    asyncio.run(run())


@pytest.mark.redis
def test_letters_are_brought_into_the_database_once(event_log, site):
    letters = [letter_of(view(item_id=number)) for number in range(5)]
    put(event_log.sibling(TOPIC), [(KEY, encode_letter(letter)) for letter in [*letters, letters[0]]])

    assert dead_letter_rows.import_dead_letters() == 5
    assert dead_letter_rows.import_dead_letters() == 0
    assert DeadLetter.objects.filter(site=site, reason="invalid_event", origin="collect").count() == 5
    row = DeadLetter.objects.get(fingerprint=letters[0].fingerprint)
    assert bytes(row.raw) == letters[0].raw
    assert row.key == KEY.decode()


@pytest.mark.redis
def test_only_new_letters_are_read_after_the_first_time(event_log, site):
    put(event_log.sibling(TOPIC), [(KEY, encode_letter(letter_of(view(item_id=1))))])
    dead_letter_rows.import_dead_letters()
    DeadLetter.objects.all().delete()
    put(event_log.sibling(TOPIC), [(KEY, encode_letter(letter_of(view(item_id=2))))])
    assert dead_letter_rows.import_dead_letters() == 1


@pytest.mark.redis
@pytest.mark.expects_errors(r"dead_letters\.unreadable")
def test_what_is_no_letter_is_passed_over_and_odd_text_is_kept_readable(event_log, site):
    odd = msgspec.structs.replace(letter_of(view(item_id=1)), detail="a\0b", field="f" * 1_000, key=b"shop/\xff")
    put(event_log.sibling(TOPIC), [(KEY, b"not a letter"), (KEY, encode_letter(odd))])

    assert dead_letter_rows.import_dead_letters() == 1
    row = DeadLetter.objects.get()
    assert row.detail == "a\N{REPLACEMENT CHARACTER}b"
    assert len(row.field) == 300


@pytest.mark.redis
@pytest.mark.django_db(transaction=True)
def test_a_corrected_letter_is_sent_again_and_the_others_say_why_not(event_log, site):
    bad, good = letter_of(view(item_id=1)), letter_of(view(item_id=2))
    put(event_log.sibling(TOPIC), [(KEY, encode_letter(bad)), (KEY, encode_letter(good))])
    dead_letter_rows.import_dead_letters()
    fixed = DeadLetter.objects.get(fingerprint=good.fingerprint)
    fixed.raw = bytes(fixed.raw).replace(b'"item_id":2', b'"item_id":"2"')
    still_bad = DeadLetter.objects.get(fingerprint=bad.fingerprint)

    failures = dead_letter_rows.resend([fixed, still_bad])

    assert list(failures) == [still_bad.pk]
    assert "item_id" in failures[still_bad.pk]
    fixed.refresh_from_db()
    assert fixed.status == DeadLetter.Status.RESENT
    assert fixed.resolved_at is not None
    records = [record for partition in range(2) for record in event_log.read_all(partition)]
    assert [record.key for record in records] == [KEY]
    assert parse_record(records[0].value).events[0].params.items[0].item_id == "2"


@pytest.mark.redis
@pytest.mark.django_db
def test_a_letter_of_another_site_is_never_sent(event_log, site):
    other = Site.objects.create(slug="other-shop")
    raw = letter_of(view(item_id=2)).raw.replace(b'"item_id":2', b'"item_id":"2"')
    letter = DeadLetter.objects.create(site=other, reason="x", raw=raw, fingerprint="f1", origin="collect")
    assert dead_letter_rows.resend([letter]) == {letter.pk: "record.site: 'shop' is not the site of this letter"}


@pytest.mark.django_db
def test_discarding_and_forgetting(site):
    rows = [
        DeadLetter.objects.create(
            site=site, reason="x", raw=b"", fingerprint=str(number), origin="collect", key=KEY.decode()
        )
        for number in range(3)
    ]
    assert dead_letter_rows.discard(rows[:1]) == 1
    assert dead_letter_rows.discard(rows[:1]) == 0
    assert dead_letter_rows.forget_old(days=1) == 0
    assert dead_letter_rows.forget_user(site, HEAD.user_key) == 3
