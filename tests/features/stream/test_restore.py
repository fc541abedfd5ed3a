"""Profiles that Redis forgot: requested once, and handed to the partition that requested them."""

from __future__ import annotations

import pytest

from features.state.apply import Past
from features.state.batch import User
from features.stream import restore
from features.stream.restore import NoProfiles, ProfileRestore


class Profiles(NoProfiles):
    """Answers what it is told to."""

    def __init__(self) -> None:
        self.requested: list[User] = []
        self.ready: dict[User, bytes | None] = {}

    def request(self, users: object) -> None:
        self.requested += list(users)  # type: ignore[call-overload]

    def answers(self) -> dict[User, bytes | None]:
        ready, self.ready = self.ready, {}
        return ready


def test_an_answer_goes_to_the_partition_that_requested_it_once() -> None:
    profiles = Profiles()
    waiting = ProfileRestore(profiles)
    waiting.request(3, [("shop", "u:1"), ("shop", "u:2")])
    waiting.request(5, [("shop", "u:3")])
    profiles.ready = {("shop", "u:1"): b"state", ("shop", "u:3"): None, ("shop", "u:9"): b"of nobody"}

    assert waiting.answers() == {3: {("shop", "u:1"): Past(b"state")}, 5: {("shop", "u:3"): Past(None)}}
    profiles.ready = {("shop", "u:1"): b"again"}
    assert waiting.answers() == {}


def test_too_many_requests_are_left_for_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restore, "MAX_REQUESTED", 1)
    profiles = Profiles()
    waiting = ProfileRestore(profiles)

    waiting.request(0, [("shop", "u:1")])
    waiting.request(0, [("shop", "u:2")])

    assert profiles.requested == [("shop", "u:1")]
