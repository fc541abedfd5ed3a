"""A network's voice as workers find it behind the tags that collect made: one for all days, none without the key."""

from __future__ import annotations

import pytest

from tests.tracking.http.test_request import a_request
from tracking.access.voices import voice_of

DAY_MS = 86_400_000


def voices(*addresses: str, days: int = 2) -> list[int]:
    found = []
    for address in addresses:
        for day in range(days):
            request = a_request(client=(address, 1))
            request.received_at_ms += day * DAY_MS
            tag = request.network_tag("shop")
            assert tag is not None
            found.append(voice_of("shop", tag, request.received_at_ms))
    return found


def test_a_network_has_one_voice_on_all_days_and_others_have_theirs() -> None:
    assert len(set(voices("9.9.9.1", "9.9.9.254", days=5))) == 1
    assert len(set(voices("9.9.9.1", "9.9.8.1", "2001:db8::1"))) == 3


def test_another_key_finds_nobody(settings: pytest.FixtureRequest) -> None:
    request = a_request(client=("9.9.9.1", 1))
    tag = request.network_tag("shop")
    assert tag is not None
    known = voice_of("shop", tag, request.received_at_ms)

    settings.SECRET_KEY = "another"  # type: ignore[attr-defined]

    assert voice_of("shop", tag, request.received_at_ms) != known
