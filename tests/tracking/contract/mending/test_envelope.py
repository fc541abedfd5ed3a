from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracking.contract.mending.test_values import JSON
from tracking.contract.mending.envelope import mend_envelope, read_json

EVENT = {"event": "page_view", "event_id": "event-0001", "ts": 1_795_000_000_000}


def test_optional_parts_go_and_identity_stays() -> None:
    envelope, mends = mend_envelope(
        {"user_id": 42, "sent_at": "now", "ctx": {"vw": "390", "lang": "x" * 50, "bot": "no"}, "events": [EVENT]}
    )

    assert (envelope.user_id, envelope.sent_at, envelope.ctx.vw, envelope.ctx.bot) == ("42", None, 390, False)
    assert len(envelope.events) == 1
    assert {mend.path for mend in mends} == {"user_id", "sent_at", "ctx.vw", "ctx.lang", "ctx.bot"}


def test_a_foreign_anonymous_id_is_one_user_whenever_it_comes() -> None:
    first, again, other = (
        mend_envelope({"anonymous_id": written, "events": []})[0].anonymous_id
        for written in ("1234567890.1600000001", "1234567890.1600000001", "1234567890.1600000002")
    )

    assert first == again != other


@pytest.mark.parametrize("written", ["undefined", None, True, "", {}])
def test_an_id_that_identifies_nobody_is_left_out(written: object) -> None:
    assert mend_envelope({"user_id": written, "events": []})[0].user_id is None


@pytest.mark.parametrize(("written", "consent"), [("Granted", "granted"), (False, "denied"), (True, "granted")])
def test_a_consent_in_another_spelling_is_that_consent(written: object, consent: str) -> None:
    assert mend_envelope({"consent": written, "events": []})[0].consent == consent


def test_a_consent_without_a_reading_is_never_taken_for_one() -> None:
    with pytest.raises(msgspec.ValidationError, match="consent"):
        mend_envelope({"consent": "maybe", "events": [EVENT]})


def test_one_event_instead_of_a_list_is_a_list_of_one() -> None:
    inside, _ = mend_envelope({"events": EVENT})
    bare, _ = mend_envelope({**EVENT, "user_id": "u"})

    assert [len(inside.events), len(bare.events)] == [1, 1]


def test_no_number_is_null() -> None:
    assert read_json(b'{"price": NaN, "value": -Infinity}') == {"price": None, "value": None}


def test_a_text_that_was_cut_inside_a_character_costs_no_request() -> None:
    assert read_json(b'{"title": "smile \\ud83d", "other": "\\ud83d\\ude00"}') == {
        "title": "smile ",
        "other": "\U0001f600",
    }


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from(["user_id", "anonymous_id", "ctx", "sent_at", "events", "records"]), JSON))
def test_any_head_is_mended_or_refused(head: dict[str, object]) -> None:
    with contextlib.suppress(msgspec.ValidationError):
        mend_envelope(head)
