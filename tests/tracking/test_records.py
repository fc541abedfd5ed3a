"""One clock and one user a record, and no record too large for the log."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from tests.tracking.conftest import a_site, an_event
from tracking.access.sites import KeyInfo
from tracking.contract.parsing import parse_envelope, parse_record
from tracking.exceptions import InvalidEvent
from tracking.log.base import MAX_RECORD_BYTES
from tracking.records import DAY_MS, Built, Clock, Provenance, build_records, encode_records

NOW_MS = 1_764_000_000_000


def a_key(kind: str) -> KeyInfo:
    return KeyInfo(id="1", kind=kind, prefix="", site=a_site(), expires_at=None)  # type: ignore[arg-type]


def built(kind: str = "pk", **envelope: Any) -> Built:
    parsed = parse_envelope(json.dumps(envelope).encode(), max_events=1_000)
    return build_records(parsed, key=a_key(kind), received_at_ms=NOW_MS, sender=Provenance(network=77))


@pytest.mark.parametrize(
    ("ts", "sent_at", "occurred"),
    [
        (5_000, 7_000, NOW_MS - 2_000),  # a clock that is decades behind
        (NOW_MS, None, NOW_MS),
        (9_000, 7_000, NOW_MS),  # never in the future
        (0, 30 * DAY_MS, NOW_MS - 7 * DAY_MS),  # a page keeps nothing for longer
    ],
)
def test_a_page_s_clock_is_put_right(ts: int, sent_at: int | None, occurred: int) -> None:
    clock = Clock.of(sent_at, received_at_ms=NOW_MS, source="browser")

    assert clock.occurred_at_ms(ts) == occurred


def test_seconds_sent_for_milliseconds_are_refused_from_a_server() -> None:
    clock = Clock.of(None, received_at_ms=NOW_MS, source="server")

    with pytest.raises(InvalidEvent, match="send milliseconds") as error:
        clock.occurred_at_ms(NOW_MS // 1000)
    assert error.value.code == "too_old"


def test_an_import_keeps_its_times() -> None:
    clock = Clock.of(NOW_MS - 9 * DAY_MS, received_at_ms=NOW_MS, source="import")

    assert clock.occurred_at_ms(NOW_MS - 400 * DAY_MS) == NOW_MS - 400 * DAY_MS


def test_an_import_may_be_of_any_age_but_not_in_seconds() -> None:
    clock = Clock.of(None, received_at_ms=NOW_MS, source="import")

    assert clock.occurred_at_ms(NOW_MS - 20 * 366 * DAY_MS) == NOW_MS - 20 * 366 * DAY_MS
    with pytest.raises(InvalidEvent, match="send milliseconds"):
        clock.occurred_at_ms(NOW_MS // 1000)


def test_each_user_of_a_request_has_a_record() -> None:
    groups = [{"user_id": user, "events": [an_event(ts=NOW_MS)] * 2} for user in ("1", "2")]

    assert [(record.user_id, len(record.events)) for record in built("sk", records=groups).records] == [
        ("1", 2),
        ("2", 2),
    ]


def test_a_page_may_not_send_for_many_users() -> None:
    with pytest.raises(InvalidEvent) as error:
        built("pk", records=[{"user_id": "1", "events": [an_event()]}])
    assert error.value.code == "secret_key_needed"


def test_denied_consent_leaves_no_record() -> None:
    said = built(anonymous_id="a" * 32, consent="denied", events=[an_event()])

    assert (said.records, said.warnings) == ([], ["consent_denied"])


def test_a_record_that_is_too_large_becomes_several_in_order() -> None:
    padding = {f"p{number}": "x" * 1_000 for number in range(20)}
    events = [an_event("wheel_spun", params=padding, event_id=uuid.uuid4().hex, ts=NOW_MS) for _ in range(90)]
    [record] = built("sk", user_id="1", events=events).records

    pairs = encode_records([record])

    assert len(pairs) > 1
    assert all(len(key) + len(value) <= MAX_RECORD_BYTES for key, value in pairs)
    assert [one.event_id for _, value in pairs for one in parse_record(value).custom] == [
        event["event_id"] for event in events
    ]


def test_a_page_s_record_carries_its_network_and_a_server_s_none() -> None:
    parts = {"anonymous_id": uuid.uuid4().hex, "events": [an_event()]}

    (of_page,), (of_server,) = built("pk", **parts).records, built("sk", **parts).records

    assert (of_page.network, of_server.network) == (77, None)
    assert parse_record(encode_records([of_page])[0][1]).network == 77
