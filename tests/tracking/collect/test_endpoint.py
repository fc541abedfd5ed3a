"""The collect endpoint: what is stored, under whom, when, and what the answer says.

None of these tests may touch a database (pytest-django refuses it), so none of what they call runs SQL.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from tests.tracking.asgi_client import Answered, call
from tests.tracking.conftest import PUBLISHABLE, SECRET, SHOP, an_event, records_in
from tracking.access.identity import sign_token
from tracking.access.sites import KeyInfo
from tracking.collect.endpoint import Collector
from tracking.collect.live_events import LiveEvents
from tracking.contract.events import MAX_EVENTS_BROWSER, MAX_EVENTS_SERVER, Context
from tracking.dead_letters.letter import DeadLetterRecord, revive
from tracking.exceptions import LogUnavailable
from tracking.http.edge import HotPath, Request
from tracking.http.quotas import Quotas
from tracking.log.memory import MemoryLog
from tracking.quality.counts import NETWORK_UNKNOWN, QualityCounts

ANONYMOUS = "a" * 32
DAY_MS = 86_400_000


def now_ms() -> int:
    return int(time.time() * 1000)


async def post(
    endpoint: HotPath,
    *events: dict[str, Any],
    headers: dict[str, str] | None = None,
    key: str = PUBLISHABLE,
    query: bytes = b"",
    **envelope: Any,
) -> Answered:
    body = {"key": key, "anonymous_id": ANONYMOUS, "sent_at": now_ms(), **envelope}
    if events:
        body["events"] = list(events)
    body = {name: value for name, value in body.items() if value is not None}
    return await call(endpoint, json.dumps(body).encode(), headers=headers, query=query)


async def test_events_of_a_request_become_one_record_of_one_user(endpoint, memory_log) -> None:
    answer = await post(endpoint, an_event(), an_event("page_view"), an_event("wheel_spun"))
    assert answer.status == 202
    assert answer.json == {"accepted": 3, "rejected": [], "anonymous_id": ANONYMOUS, "warnings": []}
    [record] = records_in(memory_log)
    assert (record.site, record.user_key, record.source) == ("shop", f"a:{ANONYMOUS}", "browser")
    assert [len(record.events), len(record.custom)] == [2, 1]


async def test_the_good_part_of_a_batch_is_kept_and_the_bad_named_one_by_one(endpoint, memory_log) -> None:
    bad = an_event(params={"items": [{"price": 7}]})
    answer = await post(endpoint, an_event(), bad, an_event("view_itm"))
    assert answer.status == 202
    assert answer.json["accepted"] == 1
    first, second = answer.json["rejected"]
    assert (first["index"], first["event_id"], first["error"]) == (1, bad["event_id"], "invalid_event")
    assert (first["field"], "item_id" in first["message"]) == ("events[1].params.items", True)
    assert (second["index"], second["error"]) == (2, "unknown_event")
    assert "view_item" in second["message"]
    assert len(records_in(memory_log)) == 1


async def test_when_every_event_is_bad_it_is_a_400_with_the_first_reason(endpoint, memory_log) -> None:
    answer = await post(endpoint, an_event(params={}), an_event(params={}))
    assert (answer.status, answer.json["error"], answer.json["field"]) == (
        400, "invalid_event", "events[0].params.items",
    )  # fmt: skip
    assert len(answer.json["rejected"]) == 2
    assert records_in(memory_log) == []


@pytest.mark.parametrize(
    ("body", "error", "field"),
    [
        (b"", "invalid_request", "body"),
        (b"[]", "invalid_request", "body"),
        (b'{"events": 3}', "invalid_request", "events"),
        (b"\xff\xfe", "invalid_request", "body"),
        (b"[" * 60_000, "invalid_request", "body"),
        (b'{"events": [' + b"[" * 30_000 + b"]" * 30_000 + b"]}", "too_deep", "body"),
        (b'{"anonymous_id": "short", "events": []}', "invalid_request", "anonymous_id"),
        (b'{"ctx": {"ref": "\\u0000"}, "events": [{}]}', "invalid_character", "ctx.ref"),
        (b'["2.0"]', "invalid_request", "body"),
    ],
)
async def test_a_strict_envelope_that_cannot_be_read_is_a_400(endpoint, body: bytes, error: str, field: str) -> None:
    answer = await call(endpoint, body, headers={"x-api-key": PUBLISHABLE}, query=b"strict=1")
    assert answer.status == 400
    if error != "too_deep":  # where the parser gives up depends on the build
        assert (answer.json["error"], answer.json["field"]) == (error, field)


async def test_no_events_and_too_many_are_refused(endpoint) -> None:
    assert (await post(endpoint)).json["field"] == "events"
    answer = await post(endpoint, *(an_event("page_view") for _ in range(MAX_EVENTS_BROWSER + 1)))
    assert (answer.status, answer.json["error"]) == (400, "too_many_events")


async def test_a_clock_an_hour_wrong_is_put_right(endpoint, memory_log) -> None:
    an_hour, happened_before = 3_600_000, 20_000
    for wrong_by in (-an_hour, an_hour):
        theirs = now_ms() + wrong_by
        await post(endpoint, an_event(ts=theirs - happened_before), sent_at=theirs)
    for record in records_in(memory_log):
        ago = record.received_at_ms - record.events[0].occurred_at_ms
        assert happened_before <= ago < happened_before + 2_000


async def test_times_are_never_in_the_future_and_at_most_seven_days_old(endpoint, memory_log) -> None:
    await post(endpoint, an_event(ts=now_ms() + DAY_MS), an_event(ts=now_ms() - 30 * DAY_MS))
    [record] = records_in(memory_log)
    late, early = (event.occurred_at_ms for event in record.events)
    assert late == record.received_at_ms
    assert early == record.received_at_ms - 7 * DAY_MS


async def test_the_server_issues_an_anonymous_id_as_a_first_party_cookie(endpoint, memory_log) -> None:
    answer = await post(endpoint, an_event(), anonymous_id=None)
    issued = answer.json["anonymous_id"]
    assert len(issued) == 32
    assert answer.header("set-cookie") == f"rec_aid={issued}; Max-Age=31536000; Path=/; SameSite=Lax"
    again = await post(endpoint, an_event(), anonymous_id=None, headers={"cookie": f"x=1; rec_aid={issued}"})
    assert again.json["anonymous_id"] == issued
    assert {record.anonymous_id for record in records_in(memory_log)} == {issued}


async def test_without_consent_nothing_is_stored_and_no_cookie_is_set(endpoint, memory_log) -> None:
    denied = await post(endpoint, an_event(), consent="denied")
    gpc = await post(endpoint, an_event(), headers={"sec-gpc": "1"})
    assert (denied.status, denied.json["accepted"], denied.json["warnings"]) == (202, 0, ["consent_denied"])
    assert (gpc.status, gpc.json["accepted"], gpc.json["warnings"]) == (202, 0, ["global_privacy_control"])
    assert denied.header("set-cookie") is None
    assert gpc.header("set-cookie") is None
    assert records_in(memory_log) == []


async def test_pending_consent_is_noted_and_sets_no_cookie(endpoint, memory_log) -> None:
    answer = await post(endpoint, an_event(), consent="pending")
    assert answer.header("set-cookie") is None
    assert records_in(memory_log)[0].consent == "pending"


BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"


async def test_bots_are_marked(endpoint, memory_log) -> None:
    await post(endpoint, an_event(), headers={"user-agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"})
    await post(endpoint, an_event(), headers={"user-agent": "Mozilla/5.0 (compatible; ChatGPT-User/1.0)"})
    await post(endpoint, an_event(), ctx={"bot": True}, headers={"user-agent": BROWSER})
    found = [(record.ctx.bot, record.ctx.bot_class) for record in records_in(memory_log)]
    assert found == [(True, "search"), (True, "agent"), (True, None)]


async def test_a_page_says_not_what_kind_of_program_a_browser_is(endpoint, memory_log) -> None:
    await post(endpoint, an_event(), ctx={"bot_class": "search"}, headers={"user-agent": BROWSER})
    assert records_in(memory_log)[0].ctx == Context()


async def test_an_identified_users_record_names_both_ids(endpoint, memory_log) -> None:
    token = sign_token("t" * 48, site="shop", user_id="42")
    identify = an_event("identify", params={"user_id": "42", "traits": {"tier": "gold"}})
    answer = await post(endpoint, an_event(), identify, user_id="42", user_token=token)
    assert answer.json["warnings"] == []
    [record] = records_in(memory_log)
    assert (record.user_key, record.anonymous_id, len(record.events)) == ("u:42", ANONYMOUS, 2)


async def test_untidy_traits_are_mended_and_said(endpoint, memory_log) -> None:
    token = sign_token("t" * 48, site="shop", user_id="42")
    traits = {"Loyalty Tier": "gold", **{f"n{number}": "x" * 100 for number in range(40)}}
    identify = an_event("identify", params={"user_id": "42", "traits": traits})

    answer = await post(endpoint, identify, user_id="42", user_token=token)

    assert answer.json["warnings"] == ["traits_mended"]
    kept = records_in(memory_log)[0].events[0].params.traits
    assert kept["loyalty_tier"] == "gold"
    assert 5 < len(kept) < 20  # as many as 1,024 bytes hold


async def test_an_identify_with_its_own_token_is_a_record_of_the_user(endpoint, memory_log) -> None:
    token = sign_token("t" * 48, site="shop", user_id="42")
    await post(endpoint, an_event(), an_event("identify", params={"user_id": "42", "token": token}))
    anonymous, user = sorted(records_in(memory_log), key=lambda record: record.user_key)
    assert (anonymous.user_key, anonymous.user_id) == (f"a:{ANONYMOUS}", None)
    assert (user.user_key, user.anonymous_id) == ("u:42", ANONYMOUS)
    assert user.events[0].params.token is None


async def test_two_known_users_never_share_an_anonymous_id_through_one_request(endpoint, memory_log) -> None:
    first, second = (sign_token("t" * 48, site="shop", user_id=user) for user in ("1", "2"))
    identify = an_event("identify", params={"user_id": "2", "token": second})
    await post(endpoint, an_event(), identify, user_id="1", user_token=first)
    one, two = sorted(records_in(memory_log), key=lambda record: record.user_key)
    assert (one.user_key, one.anonymous_id) == ("u:1", ANONYMOUS)
    assert (two.user_key, two.anonymous_id) == ("u:2", None)


async def test_a_token_that_is_not_valid_leaves_the_user_anonymous(endpoint, memory_log) -> None:
    forged = sign_token("f" * 48, site="shop", user_id="42")
    answer = await post(endpoint, an_event(), user_id="42", user_token=forged)
    assert (answer.status, answer.json["warnings"]) == (202, ["user_token_invalid"])
    [record] = records_in(memory_log)
    assert (record.user_key, record.user_id) == (f"a:{ANONYMOUS}", None)


async def test_a_server_sends_events_of_many_users(endpoint, memory_log) -> None:
    groups = [
        {"user_id": f"user{number}", "events": [an_event() for _ in range(10)]}
        for number in range(MAX_EVENTS_SERVER // 10)
    ]
    answer = await post(endpoint, key=None, anonymous_id=None, records=groups, headers={"x-api-key": SECRET})
    assert (answer.status, answer.json["accepted"]) == (202, MAX_EVENTS_SERVER)
    records = records_in(memory_log)
    assert {record.user_key for record in records} == {f"u:user{number}" for number in range(100)}
    assert {record.source for record in records} == {"server"}


async def test_a_group_without_a_user_is_refused_and_the_others_kept(endpoint, memory_log) -> None:
    groups = [
        {"events": [an_event()]},
        {"user_id": "7", "events": [an_event(), {"event": "x", "event_id": "event-x1"}]},
    ]
    answer = await post(endpoint, anonymous_id=None, records=groups, headers={"x-api-key": SECRET}, key=None)
    assert (answer.status, answer.json["accepted"]) == (202, 1)
    assert sorted((bad["index"], bad["field"]) for bad in answer.json["rejected"]) == [
        (0, "records[0].user_id"), (2, "records[1].events[1].ts"),
    ]  # fmt: skip


async def test_many_users_need_a_secret_key(endpoint) -> None:
    answer = await post(endpoint, records=[{"user_id": "7", "events": [an_event()]}])
    assert (answer.status, answer.json["field"]) == (400, "records")


async def test_a_server_keeps_its_times_up_to_ten_years(endpoint, memory_log) -> None:
    nine_years_ago = now_ms() - 9 * 365 * DAY_MS
    in_seconds = an_event(ts=now_ms() // 1000)
    answer = await post(
        endpoint, an_event(ts=nine_years_ago), in_seconds, source="import", key=None, headers={"x-api-key": SECRET}
    )
    assert records_in(memory_log)[0].events[0].occurred_at_ms == nine_years_ago
    assert [(bad["field"], bad["error"]) for bad in answer.json["rejected"]] == [("events[1].ts", "too_old")]


async def test_a_server_names_the_user_without_a_token(endpoint, memory_log) -> None:
    await post(endpoint, an_event(), user_id="9", anonymous_id=None, key=None, headers={"x-api-key": SECRET})
    [record] = records_in(memory_log)
    assert (record.user_key, record.source) == ("u:9", "server")


async def test_a_record_too_large_for_the_log_becomes_several(endpoint, memory_log) -> None:
    events = [an_event("filled", params={"text": "x" * 30_000}) for _ in range(60)]
    answer = await post(endpoint, *events, user_id="9", key=None, headers={"x-api-key": SECRET})
    assert (answer.status, answer.json["accepted"]) == (202, 60)
    records = records_in(memory_log)
    assert len(records) > 1
    ids = [event.event_id for record in records for event in record.custom]
    assert ids == [event["event_id"] for event in events]


async def test_with_the_log_down_it_is_still_202_and_in_the_spool(endpoint, memory_log: MemoryLog, durable) -> None:
    memory_log.fail_with(LogUnavailable("down"))
    answer = await post(endpoint, an_event())
    assert answer.status == 202
    assert durable._spool.size_bytes > 0
    memory_log.fail_with(None)
    assert await durable.flush(timeout_s=5)
    assert len(records_in(memory_log)) == 1


async def test_with_the_log_frozen_it_takes_fifty_milliseconds(endpoint, memory_log: MemoryLog) -> None:
    memory_log.hold(True)
    started = time.monotonic()
    answer = await post(endpoint, an_event())
    took = time.monotonic() - started
    memory_log.hold(False)
    assert answer.status == 202
    assert took < 5  # the log would hold it for ever


async def test_with_the_spool_full_it_is_a_503_and_never_a_202(
    endpoint, memory_log: MemoryLog, spool, monkeypatch
) -> None:
    memory_log.fail_with(LogUnavailable("down"))
    monkeypatch.setattr(spool, "_max_bytes", 10)
    answer = await post(endpoint, an_event())
    assert (answer.status, answer.json["error"]) == (503, "unavailable")
    assert answer.header("retry-after") is not None


async def test_quotas_answer_429_with_a_time(durable, install_keys) -> None:
    install_keys(events_per_minute=3, address_requests_per_minute=2)
    endpoint = HotPath(Collector(durable, quotas=Quotas(), live=LiveEvents()).collect, name="collect-test")
    assert (await post(endpoint, an_event(), an_event())).status == 202
    over_events = await post(endpoint, an_event(), an_event())
    assert (over_events.status, over_events.json["error"]) == (429, "quota_exceeded")
    assert 1 <= int(over_events.header("retry-after") or 0) <= 60
    over_requests = await post(endpoint, an_event())
    assert "requests of an address" in over_requests.json["message"]
    elsewhere = await call(
        endpoint, json.dumps({"key": PUBLISHABLE, "events": [an_event()]}).encode(), client="198.51.100.9"
    )
    assert elsewhere.status == 202


async def test_a_page_needs_no_preflight(endpoint) -> None:
    answer = await post(endpoint, an_event(), headers={"content-type": "text/plain;charset=UTF-8", "origin": SHOP})
    assert (answer.status, answer.header("access-control-allow-origin")) == (202, SHOP)


async def test_an_untidy_request_counts_and_the_answer_says_what_was_mended(endpoint, memory_log) -> None:
    purchase = an_event(
        "purchase",
        params={
            "transaction_id": 77,
            "currency": "eur",
            "value": "1.234,50",
            "items": {"0": {"id": "SKU1", "qty": "2"}},
        },
    )

    answer = await post(endpoint, purchase, user_id="undefined", ctx={"vw": "wide"})

    [record] = records_in(memory_log)
    params = record.events[0].params
    assert (params.transaction_id, params.currency, params.value) == ("77", "EUR", 1234.5)
    assert [(item.item_id, item.quantity) for item in params.items] == [("SKU1", 2)]
    said = {warning["path"]: warning["done"] for warning in answer.json["warnings"]}
    assert {
        "ctx.vw": "dropped",
        "events[0].params.value": "reread",
        "events[0].params.items[0].id": "renamed",
    }.items() <= said.items()
    assert all(warning["remedy"] for warning in answer.json["warnings"])


async def test_a_strict_request_is_refused_where_another_is_mended(endpoint, memory_log) -> None:
    untidy = an_event(params={"items": [{"item_id": "SKU1", "price": "9,90"}]})

    strict = await post(endpoint, untidy, query=b"strict=1")
    forgiving = await post(endpoint, untidy)

    assert (strict.status, strict.json["field"]) == (400, "events[0].params.items[0].price")
    assert forgiving.status == 202
    assert [record.events[0].params.items[0].price for record in records_in(memory_log)] == [9.9]


class Letterbox:
    """Keeps dead letters in memory."""

    def __init__(self) -> None:
        self.letters: list[DeadLetterRecord] = []

    def add(self, letters: Sequence[DeadLetterRecord]) -> None:
        self.letters.extend(letters)


async def test_a_refused_event_is_a_dead_letter_that_can_be_mended_and_sent_again(durable, install_keys) -> None:
    install_keys()
    box = Letterbox()
    endpoint = HotPath(Collector(durable, quotas=Quotas(), live=LiveEvents(), letters=box).collect, name="collect-test")
    bad = an_event(ts=now_ms() - 5_000, params={"items": [{"item_id": "SKU1", "quantity": 0}]})
    await post(endpoint, an_event(), bad, query=b"strict=1")
    [letter] = box.letters
    assert (letter.reason, letter.field) == ("invalid_event", "events[1].params.items[0].quantity")
    assert (letter.site, letter.key, letter.origin) == ("shop", f"shop/a:{ANONYMOUS}".encode(), "collect")
    record = revive(letter.raw.replace(b'"quantity":0', b'"quantity":1').replace(b'"quantity": 0', b'"quantity": 1'))
    assert record.user_key == f"a:{ANONYMOUS}"
    assert record.events[0].event_id == bad["event_id"]


@pytest.mark.parametrize(
    ("trusted", "headers", "key", "is_said"),
    [
        (0, {"X-Forwarded-For": "9.9.9.9"}, PUBLISHABLE, True),
        (1, {"X-Forwarded-For": "9.9.9.9"}, PUBLISHABLE, False),
        (1, {"X-Forwarded-For": "9.9.9.9, 10.0.0.7"}, PUBLISHABLE, True),  # there is one more proxy than was said
        (0, {}, PUBLISHABLE, False),
        (0, {"X-Forwarded-For": "9.9.9.9"}, SECRET, False),
    ],
)
async def test_a_proxy_whose_word_is_not_taken_is_counted(
    durable, install_keys, settings, trusted: int, headers: dict[str, str], key: str, is_said: bool
) -> None:
    settings.TRUSTED_PROXIES = trusted
    install_keys()
    quality = QualityCounts()
    collector = Collector(durable, quotas=Quotas(), live=LiveEvents(), quality=quality)
    endpoint = HotPath(collector.collect, name="collect-test")
    body = json.dumps({"key": key, "anonymous_id": ANONYMOUS, "events": [an_event()]}).encode()
    answer = await call(endpoint, body, headers=headers, client="10.0.0.2")

    assert answer.json["warnings"] == []
    [waiting] = quality._sites.values()
    [counts] = waiting.counts.values()
    assert counts["warnings", NETWORK_UNKNOWN] == is_said


async def test_whoever_denies_consent_leaves_no_dead_letter_either(durable, install_keys) -> None:
    install_keys()
    box = Letterbox()
    endpoint = HotPath(Collector(durable, quotas=Quotas(), live=LiveEvents(), letters=box).collect, name="collect-test")
    await post(endpoint, an_event(), an_event(params={}), consent="denied")
    assert box.letters == []


async def test_ten_users_are_heard_after_one_address_spent_the_keys_quota(durable, install_keys) -> None:
    install_keys(events_per_minute=40, address_requests_per_minute=0)
    endpoint = HotPath(Collector(durable, quotas=Quotas(), live=LiveEvents()).collect, name="collect-test")
    body = json.dumps({"key": PUBLISHABLE, "events": [an_event()]}).encode()
    flood = [(await call(endpoint, body, client=f"2001:db8:0:1::{number}")).status for number in range(100)]
    assert [flood.count(status) for status in (202, 429)] == [40, 60]
    users = [(await call(endpoint, body, client=f"2001:db8:{number % 10 + 1}::7")).status for number in range(30)]
    assert set(users) == {202}


async def test_what_a_quarantined_source_sends_is_answered_and_dropped(endpoint, memory_log, monkeypatch) -> None:
    def quarantined(*names: int | str) -> None:
        def authenticate(self: Request, value: str | None, *, scope: str) -> KeyInfo:
            key = known(self, value, scope=scope)
            return replace(key, site=replace(key.site, quarantined=frozenset(names)))

        monkeypatch.setattr(Request, "authenticate", authenticate)

    known = Request.authenticate
    monkeypatch.setattr(Request, "network_tag", lambda self, site: 7)
    quarantined(7)
    answer = await post(endpoint, an_event())
    assert (answer.status, answer.json["accepted"]) == (202, 1)
    assert records_in(memory_log) == []
    quarantined("a:" + ANONYMOUS)
    assert (await post(endpoint, an_event())).status == 202
    assert records_in(memory_log) == []
    quarantined(8, "a:somebody-else")
    await post(endpoint, an_event())
    await post(endpoint, an_event(), key=SECRET, user_id="u-1")
    assert len(records_in(memory_log)) == 2
