"""Envelopes of a newer schema: kept at collect, durable before the answer, and sent again after an upgrade."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from typing import Any

import pytest

from tests.tracking.asgi_client import Answered, call
from tests.tracking.conftest import OTHER, PUBLISHABLE, SECRET, an_event
from tracking.access.identity import sign_token
from tracking.collect.endpoint import Collector
from tracking.collect.live_events import LiveEvents
from tracking.contract import parsing
from tracking.contract.parsing import parse_record
from tracking.dead_letters import rows
from tracking.dead_letters.letter import TOPIC, DeadLetterOutbox, DeadLetterRecord, decode_letter
from tracking.exceptions import LogUnavailable
from tracking.http.edge import HotPath
from tracking.http.quotas import Quotas
from tracking.log import EventLog, open_log
from tracking.log.memory import MemoryLog
from tracking.models import DeadLetter, Site

ANONYMOUS = "a" * 32


def an_envelope(**changes: Any) -> dict[str, Any]:
    """Return an envelope of the next major version: with fields of which nothing is known yet."""
    now_ms = int(time.time() * 1000)
    envelope = {
        "v": "2.0", "sent_at": now_ms, "anonymous_id": ANONYMOUS, "device": {"kind": "watch"},
        "events": [an_event(ts=now_ms - 1_000), an_event("page_view", ts=now_ms - 500)],
    }  # fmt: skip
    return {name: value for name, value in {**envelope, **changes}.items() if value is not None}


async def send(log: EventLog, envelope: Any, *, key: str = PUBLISHABLE, **headers: str) -> Answered:
    outbox = DeadLetterOutbox(log)
    await outbox.start()
    collector = Collector(None, quotas=Quotas(), live=LiveEvents(), letters=outbox)  # type: ignore[arg-type]
    body = envelope if isinstance(envelope, bytes) else json.dumps(envelope).encode()
    answer = await call(HotPath(collector.collect, name="parked"), body, headers={"x-api-key": key, **headers})
    await outbox.close()
    return answer


def letters_in(log: EventLog) -> list[DeadLetterRecord]:
    kept = log.sibling(TOPIC)
    return [decode_letter(one.value) for number in range(kept.partitions) for one in kept.read_range(number)]


async def test_the_envelope_is_kept_as_it_came_but_for_key_and_token(install_keys, memory_log: MemoryLog) -> None:
    site = install_keys()
    token = sign_token(site.token_secret, site="shop", user_id="42")
    envelope = an_envelope(key=PUBLISHABLE, user_id="42", user_token=token)
    answer = await send(memory_log, envelope)

    assert answer.status == 202
    assert answer.json == {
        "accepted": 0, "rejected": [], "anonymous_id": ANONYMOUS, "warnings": ["future_schema"], "parked": 2,
    }  # fmt: skip
    [letter] = letters_in(memory_log)
    assert (letter.reason, letter.site, letter.key) == ("future_schema", "shop", b"shop/u:42")
    kept = json.loads(letter.raw)
    assert kept["user_id"] == "42"  # proved now, while the token lives
    del envelope["key"], envelope["user_token"]
    assert kept["envelope"] == envelope
    assert PUBLISHABLE.encode() not in letter.raw
    assert token.encode() not in letter.raw


async def test_a_user_who_proves_nothing_is_kept_as_nobody(install_keys, memory_log: MemoryLog) -> None:
    install_keys()
    answer = await send(memory_log, an_envelope(user_id="42"))
    assert answer.json["warnings"] == ["future_schema", "user_token_missing"]
    [letter] = letters_in(memory_log)
    assert (letter.key, json.loads(letter.raw)["user_id"]) == (f"shop/a:{ANONYMOUS}".encode(), None)


@pytest.mark.parametrize("headers", [{"sec-gpc": "1"}, {}])
async def test_who_forbids_it_is_not_kept(install_keys, memory_log: MemoryLog, headers: dict[str, str]) -> None:
    install_keys()
    answer = await send(memory_log, an_envelope(consent=None if headers else "denied"), **headers)
    assert (answer.status, answer.json.get("parked", 0)) == (202, 0)
    assert letters_in(memory_log) == []


async def test_what_is_sent_again_is_one_letter(install_keys, memory_log: MemoryLog) -> None:
    install_keys()
    envelope = an_envelope()
    for _ in range(2):
        await send(memory_log, envelope)
    assert len({letter.fingerprint for letter in letters_in(memory_log)}) == 1


@pytest.mark.parametrize(
    ("envelope", "key", "status", "error"),
    [
        (an_envelope(), "pk_nobody", 401, "unknown_key"),
        (an_envelope(pad="x" * 700_000), SECRET, 413, "record_too_large"),
        (b'["v", "2.0"]', PUBLISHABLE, 400, "invalid_request"),
    ],
)
async def test_what_cannot_be_kept_is_refused(
    install_keys, memory_log: MemoryLog, envelope: Any, key: str, status: int, error: str
) -> None:
    install_keys()
    answer = await send(memory_log, envelope, key=key)
    assert (answer.status, answer.json["error"]) == (status, error)
    assert letters_in(memory_log) == []


async def test_nothing_is_answered_for_that_the_log_does_not_have(install_keys, memory_log: MemoryLog) -> None:
    install_keys()
    memory_log.sibling(TOPIC).fail_with(LogUnavailable("down"))  # type: ignore[attr-defined]
    answer = await send(memory_log, an_envelope())
    assert (answer.status, answer.json["error"], answer.header("retry-after")) == (503, "unavailable", "5")


@pytest.mark.parametrize("odd", [{"key": 7}, {"events": 3}, {"events": {"a": [1]}}, {"records": "x"}, {"consent": []}])
async def test_a_newer_schema_may_have_changed_anything(install_keys, memory_log: MemoryLog, odd: Any) -> None:
    install_keys()
    answer = await send(memory_log, an_envelope(**odd))
    assert answer.status == 202
    assert answer.json["parked"] >= 1


# From here on with the database and a real Redis.


@pytest.fixture
def redis_log(redis_url: str, settings: Any) -> EventLog:
    settings.REDIS_URL = redis_url
    settings.EVENT_LOG_URL = f"{redis_url}?stream=t-{uuid.uuid4().hex}&partitions=2&keep_records=1"
    return open_log(settings.EVENT_LOG_URL)


def park(log: EventLog, envelope: Any, **more: str) -> DeadLetter:
    assert asyncio.run(send(log, envelope, **more)).status == 202
    before = set(DeadLetter.objects.values_list("pk", flat=True))
    assert rows.import_dead_letters() == 1
    return DeadLetter.objects.exclude(pk__in=before).select_related("site").get()


def records_in(log: EventLog) -> list[Any]:
    return [parse_record(one.value) for number in range(2) for one in log.read_all(number)]


@pytest.mark.redis
@pytest.mark.django_db(transaction=True)
def test_after_an_upgrade_it_is_sent_again_as_it_would_have_been_then(
    redis_log: EventLog, install_keys, monkeypatch
) -> None:
    site = install_keys()
    Site.objects.create(pk=site.id, slug="shop", name="Shop")
    token = sign_token(site.token_secret, site="shop", user_id="42")
    envelope = an_envelope(user_id="42", user_token=token)
    letter = park(redis_log, envelope)

    assert "newer schema" in rows.resend([letter])[letter.pk]
    assert records_in(redis_log) == []

    monkeypatch.setattr(parsing, "SCHEMA_MAJOR", 2)
    assert rows.resend([letter]) == {}
    [record] = records_in(redis_log)
    assert (record.site, record.user_id, record.anonymous_id, record.source) == ("shop", "42", ANONYMOUS, "browser")
    assert [event.event_id for event in record.events] == [event["event_id"] for event in envelope["events"]]
    assert record.received_at_ms == json.loads(bytes(letter.raw))["received_at_ms"]
    letter.refresh_from_db()
    assert letter.status == DeadLetter.Status.RESENT


@pytest.mark.redis
@pytest.mark.django_db(transaction=True)
def test_a_server_s_envelope_of_many_users_becomes_a_record_each(redis_log, install_keys, monkeypatch) -> None:
    site = install_keys()
    row = Site.objects.create(pk=site.id, slug="shop", name="Shop")
    groups = [{"user_id": name, "events": [an_event()]} for name in ("anna", "ben")]
    letter = park(redis_log, an_envelope(events=None, anonymous_id=None, records=groups), key=SECRET)
    monkeypatch.setattr(parsing, "SCHEMA_MAJOR", 2)
    assert rows.resend([letter]) == {}
    assert {record.user_key for record in records_in(redis_log)} == {"u:anna", "u:ben"}

    assert rows.forget_user(row, "u:carl") == 0
    assert rows.forget_user(row, "u:ben") == 1  # erased, though the letter names no user


@pytest.mark.redis
@pytest.mark.django_db(transaction=True)
def test_one_bad_event_keeps_the_letter_until_it_is_mended(redis_log, install_keys, monkeypatch) -> None:
    site = install_keys()
    Site.objects.create(pk=site.id, slug="shop", name="Shop")
    letter = park(redis_log, an_envelope(events=[an_event(), an_event(ts="yesterday")]))
    monkeypatch.setattr(parsing, "SCHEMA_MAJOR", 2)
    assert "events[1].ts" in rows.resend([letter])[letter.pk]
    assert records_in(redis_log) == []


@pytest.mark.redis
@pytest.mark.django_db(transaction=True)
def test_an_envelope_of_another_site_is_never_sent(redis_log, install_keys) -> None:
    install_keys()
    Site.objects.create(pk=2, slug="other", name="Other")
    letter = park(redis_log, an_envelope(), key=OTHER)
    letter.site = Site.objects.create(pk=1, slug="shop", name="Shop")
    assert "is not the site of this letter" in rows.resend([letter])[letter.pk]
