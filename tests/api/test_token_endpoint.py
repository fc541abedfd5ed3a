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
    left_s = WINDOW_S - time.time() % WINDOW_S
    if left_s < 15:  # the count begins anew with each minute
        time.sleep(left_s)
    answered = 0
    for address in itertools.islice(itertools.cycle((place.address, place.second_address)), 40):
        status, retry_after = guess(address)
        if status == 429:
            assert 1 <= int(retry_after) <= WINDOW_S
            break
        assert status == 401
        answered += 1
        time.sleep(SYNC_S / 2)
    print(f"{answered} guesses answered by two processes")
    assert answered <= TOKEN_REQUESTS_PER_MINUTE + 3, "each counts for itself for a quarter of a second at most"
    for address in (place.address, place.second_address):
        late = []
        while not late or late[-1] != 429:  # a process learns of the others' counts when it adds its own
            late.append(guess(address)[0])
            time.sleep(2 * SYNC_S)
        assert len(late) <= 3
