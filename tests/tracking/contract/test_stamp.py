"""The stamp of who appended a record."""

from __future__ import annotations

import os

import pytest

from tracking.contract.stamp import NO_STAMP, make_stamp, read_stamp


def test_a_stamp_is_of_this_process() -> None:
    assert read_stamp(make_stamp()).sender.endswith(f":{os.getpid()}")


@pytest.mark.parametrize("value", [None, b"", b"now", b"1790000000000", b"-1 web", b"1 web<script>", b"1 " + b"x" * 81])
def test_what_is_no_stamp_says_nothing(value: bytes | None) -> None:
    assert read_stamp(value) == NO_STAMP
