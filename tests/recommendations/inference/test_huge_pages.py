"""Huge pages are asked for under large private memory only, and change no byte of it."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import numpy as np
import pytest

from recommendations.inference import huge_pages
from recommendations.inference.huge_pages import HUGE_PAGE_BYTES, use_huge_pages

MAPS = """\
7f0000001000-7f0003000000 rw-p 00000000 00:00 0
7f0010000000-7f0010001000 rw-p 00000000 00:00 0
7f0020000000-7f0030000000 r--p 00000000 08:01 42 /models/als.onnx
7f0040000000-7f0050000000 rw-p 00000000 08:01 42 /models/als.onnx
7f0060000000-7f0070000000 r-xp 00000000 00:00 0
7f0080000000-7f0084000000 rw-p 00000000 00:00 0 [heap]
7f0090000000-7f00a0000000 rw-s 00000000 00:00 0
"""


def test_only_large_private_writable_anonymous_memory_is_chosen() -> None:
    assert huge_pages._large_mappings(MAPS) == [
        (0x7F0000200000, 0x7F0003000000),  # from the first whole huge page on
        (0x7F0080000000, 0x7F0084000000),
    ]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="huge pages are asked for on Linux only")
def test_contents_stay_as_they_were() -> None:
    table = np.random.default_rng(0).integers(0, 255, 16 * HUGE_PAGE_BYTES).astype(np.uint8)
    before = int(table.astype(np.uint64).sum())
    assert use_huge_pages() >= 15 * HUGE_PAGE_BYTES
    assert int(table.astype(np.uint64).sum()) == before


def test_a_system_without_the_call_works_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huge_pages, "_MAPS", Path("/nowhere/maps"))
    assert use_huge_pages() == 0

    def missing(*_: object, **__: object) -> object:
        raise OSError("no libc")

    monkeypatch.undo()
    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert use_huge_pages() == 0
