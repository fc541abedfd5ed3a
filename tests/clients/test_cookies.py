"""The first-party cookie, as a shop's server reads it."""

from __future__ import annotations

import pytest
from recsite_client import anonymous_id


@pytest.mark.parametrize(
    ("value", "found"),
    [("a" * 32, "a" * 32), ("A-b_" * 4, "A-b_" * 4), ("a" * 15, None), ("a" * 65, None), ("", None), ("é" * 20, None)],
)
def test_an_id_that_the_server_would_take_is_read_and_no_other(value: str, found: str | None) -> None:
    assert anonymous_id({"rec_aid": value, "other": "b" * 32}) == found


def test_without_the_cookie_nobody_is_known() -> None:
    assert anonymous_id({}) is None
