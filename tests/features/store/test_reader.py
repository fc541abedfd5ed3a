from __future__ import annotations

import pytest

from features.state.states import SessionState, encode
from features.state.user_features import StateBlobs
from features.store.reader import KEEP_FEATURES_MS, OnlineReader


class Clock:
    def __init__(self):
        self.ms = 1_000_000

    def __call__(self):
        return self.ms


def blobs(*, at_ms, item="sku1"):
    return (StateBlobs(encode(SessionState(newest_ms=at_ms, recents={f"v{item}": at_ms})), None, None),)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def reader(clock):
    return OnlineReader("redis://127.0.0.1:1/0", partitions=8, timeout_s=0.1, clock=clock)


def test_states_that_did_not_change_are_worked_out_once_and_grow_older(reader, clock):
    first = reader._merged(blobs(at_ms=clock.ms - 50))
    clock.ms += 700

    again = reader._merged(blobs(at_ms=clock.ms - 750))

    assert again.recents is first.recents
    assert (first.freshness_ms, again.freshness_ms) == (50, 750)
    assert again.state_version == first.state_version


def test_a_changed_state_is_recomputed_at_once(reader, clock):
    first = reader._merged(blobs(at_ms=clock.ms - 50))

    changed = reader._merged(blobs(at_ms=clock.ms - 50, item="sku2"))

    assert [each.item_id for each in changed.recents] == ["sku2"]
    assert changed.state_version != first.state_version


def test_features_are_recomputed_when_they_are_too_old(reader, clock):
    first = reader._merged(blobs(at_ms=clock.ms - 50))
    clock.ms += KEEP_FEATURES_MS

    again = reader._merged(blobs(at_ms=1_000_000 - 50))

    assert again.recents is not first.recents
    assert again.recents[0].age_ms == KEEP_FEATURES_MS + 50
