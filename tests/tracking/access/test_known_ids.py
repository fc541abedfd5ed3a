"""An id is known once it came back after a while; a flood of new ones makes no known one forgotten."""

from __future__ import annotations

from tracking.access.known_ids import KNOWN_AFTER_S, KnownIds


def test_time_alone_makes_an_id_known() -> None:
    ids = KnownIds()
    for now_s in (0.0, 1.0, KNOWN_AFTER_S - 1):
        assert not ids.is_known("ada", site="shop", now_s=now_s)
    assert ids.is_known("ada", site="shop", now_s=KNOWN_AFTER_S)
    assert not ids.is_known("ada", site="other", now_s=KNOWN_AFTER_S)
    assert not ids.is_known(None, site="shop", now_s=KNOWN_AFTER_S)
    assert not ids.is_known("", site="shop", now_s=2 * KNOWN_AFTER_S)


def test_a_flood_of_new_ids_is_bounded_and_leaves_the_known_ones() -> None:
    ids = KnownIds(max_new=100, max_known=50)
    for now_s in (0.0, KNOWN_AFTER_S):
        for number in range(50):
            ids.is_known(f"friend {number}", site="shop", now_s=now_s)
    for number in range(10_000):
        assert not ids.is_known(f"made up {number}", site="shop", now_s=KNOWN_AFTER_S + 1)
    assert all(ids.is_known(f"friend {number}", site="shop", now_s=KNOWN_AFTER_S + 2) for number in range(50))
    assert len(ids._new) <= 100
    assert len(ids._known) <= 50
