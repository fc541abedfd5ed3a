"""Guessing OAuth2 secrets is slowed down by all web processes together."""

from __future__ import annotations

import itertools
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from tests.api.conftest import Place
from tracking.http.oauth import TOKEN_REQUESTS_PER_MINUTE
from tracking.http.quotas import SYNC_S, WINDOW_S

pytestmark = [pytest.mark.redis, pytest.mark.slow]


def guess(address: str) -> tuple[int, str]:
    """Return the status and ``Retry-After`` of a wrong secret."""
    body = urllib.parse.urlencode(
        {"grant_type": "client_credentials", "client_id": "somebody", "client_secret": "wrong"}
    ).encode()
    try:
        urllib.request.urlopen(f"{address}/o/token/", data=body, timeout=10).close()
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get("Retry-After", "")
    raise AssertionError("a wrong secret was taken")


def test_an_address_guesses_no_more_often_by_asking_two_processes(place: Place) -> None:
    while True:  # counts start over with each minute: one in which the minute ends shows nothing
        minute = time.time() // WINDOW_S
        answered, late = guess_at_both(place)
        if time.time() // WINDOW_S == minute:
            break
    print(f"{answered} guesses answered by two processes")
    assert answered <= TOKEN_REQUESTS_PER_MINUTE + 3, "each counts for itself for a quarter of a second at most"
    assert late < TOKEN_REQUESTS_PER_MINUTE, "what one process refuses the other refuses, too"


def guess_at_both(place: Place) -> tuple[int, int]:
    """Guess at two processes in turns until one refuses; return how many were answered, and how many after that."""
    answered = 0
    for address in itertools.islice(itertools.cycle((place.address, place.second_address)), 40):
        status, retry_after = guess(address)
        if status == 429:
            assert 1 <= int(retry_after) <= WINDOW_S
            break
        assert status == 401
        answered += 1
        time.sleep(SYNC_S / 2)  # sleep: the pace of one who guesses
    late = 0
    for address in (place.address, place.second_address):
        while guess(address)[0] != 429:  # a process learns of the others' counts when it adds its own
            late += 1
            time.sleep(2 * SYNC_S)  # sleep: the pace of one who guesses
    return answered, late
