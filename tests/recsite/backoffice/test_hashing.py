"""However many log in at once, two hashes are computed at a time, and each answer is right."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher

from recsite.backoffice.hashing import AT_ONCE, TwoAtATime


def test_two_hashes_at_a_time_and_none_is_lost_by_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    running, most, lock = 0, 0, threading.Lock()

    def verify(self: object, password: str, encoded: str) -> bool:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)  # sleep: a hash, which takes its time
        with lock:
            running -= 1
        if password == "broken":
            raise ValueError("a hash that cannot be read")
        return password == "right"

    monkeypatch.setattr(Argon2PasswordHasher, "verify", verify)
    for _ in range(AT_ONCE + 1):
        with pytest.raises(ValueError, match="cannot be read"):
            TwoAtATime().verify("broken", "")
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda n: TwoAtATime().verify("right" if n % 2 else "wrong", ""), range(24)))

    assert answers == [bool(n % 2) for n in range(24)]
    assert most == AT_ONCE


@pytest.mark.slow
def test_hashes_are_those_of_argon2() -> None:
    hasher = TwoAtATime()
    encoded = hasher.encode("a long password", hasher.salt())
    assert encoded.startswith("argon2$argon2id$")
    assert Argon2PasswordHasher().verify("a long password", encoded)
    assert not hasher.verify("another password", encoded)
