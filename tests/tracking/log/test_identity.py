"""A position and the log it was taken in."""

from __future__ import annotations

import pytest

from tracking.log.base import BEGINNING, ForeignPosition
from tracking.log.identity import check_end, check_identity, identity_of, offset_of, position_in


@pytest.mark.parametrize("offset", ["0", "9170", "1732000000000000-1732000000000"])
@pytest.mark.parametrize("identity", ["", "16lVaxKLTOyzx5CQ6KM9hw", "-_-_"])
def test_place_and_identity_come_back(offset: str, identity: str) -> None:
    position = position_in(offset, identity)
    assert (offset_of(position), identity_of(position)) == (offset, identity)
    assert len(position) <= 64, "dead letters keep it in a column of 64 characters"


def test_the_beginning_is_in_every_log() -> None:
    assert position_in(BEGINNING, "one") == BEGINNING
    check_identity(BEGINNING, "one", topic="events", partition=0)


def test_another_log_is_refused_with_both_named_and_a_remedy() -> None:
    check_identity("5@one", "one", topic="events", partition=3)
    check_identity("5", "one", topic="events", partition=3)  # of version 0.1
    with pytest.raises(ForeignPosition, match=r"events\[3\]: the position '5@one' .* is two now.*stream positions"):
        check_identity("5@one", "two", topic="events", partition=3)
    with pytest.raises(ForeignPosition, match="not there"):
        check_identity("5@one", "", topic="events", partition=3)


def test_a_log_that_ends_too_early_is_refused() -> None:
    check_end("5@one", is_beyond=False, end="5", topic="events", partition=3)
    with pytest.raises(ForeignPosition, match="it ends at 4"):
        check_end("5@one", is_beyond=True, end="4", topic="events", partition=3)
