"""The states under all keys of a user become one: every count adds up."""

from __future__ import annotations

from msgspec.structs import asdict

from features.state import merging, states
from features.state.states import ProfileState
from features.state.user_features import COUNTS, StateBlobs, merge, state_version
from tests.features.making import NOW_MS, applied, event

IN_RFM = {"units", "revenue", "refunds", "refunded"}  # read as frequency and monetary value, or kept for replays only


def test_every_count_of_a_profile_is_read() -> None:
    """A new count fails here until somebody has said where it is read."""
    assert {*COUNTS, *IN_RFM} == set(merging.SUMS)


def test_counts_of_all_keys_add_up() -> None:
    one, other = ProfileState(), ProfileState()
    for number, name in enumerate(merging.SUMS):
        setattr(one, name, 10**number)
        setattr(other, name, 2 * 10**number)

    found = merge([StateBlobs(None, states.encode(one)), StateBlobs(None, states.encode(other))], now_ms=NOW_MS)

    expected = {name: 3 * 10**number for number, name in enumerate(merging.SUMS)}
    assert found.counts == {name: expected[name] for name in COUNTS}
    assert found.rfm.frequency == expected["orders"]
    assert found.rfm.monetary == expected["revenue"] - expected["refunded"]


def test_one_key_alone_reads_as_it_was_written() -> None:
    made = applied(event("view_item", items=["a"]), event("add_to_cart", items=[{"item_id": "b", "quantity": 2}]))

    found = merge([StateBlobs(made.session_blob, made.profile_blob)], now_ms=NOW_MS + 1_000)

    assert found.counts == {name: asdict(made.profile)[name] for name in COUNTS}
    assert [(one.item_id, one.kind) for one in found.recents] == [("a", "view"), ("b", "cart")]
    assert found.cart == {"b": 2}
    assert found.freshness_ms == 1_000


def test_the_version_changes_with_a_state_only() -> None:
    blobs = [StateBlobs(b"s", b"p"), StateBlobs(None, None)]

    assert state_version(blobs) == state_version(list(blobs))
    assert state_version(blobs) != state_version([StateBlobs(b"sp", b""), StateBlobs(None, None)])
    assert state_version([StateBlobs(None, None)]) == "0"
