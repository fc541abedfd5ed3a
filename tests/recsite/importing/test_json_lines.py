"""Lines in order of time, whatever their order in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from recsite.importing import json_lines
from recsite.importing.base import InvalidSource
from recsite.importing.json_lines import SortedLines


def time_of(line: bytes) -> int | None:
    return int(line) if line.strip().isdigit() else None


def test_equal_and_unknown_times_keep_the_order_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"30\n10\nbroken\n20\n10")
    lines = SortedLines(tmp_path / "log", time_of)

    assert len(lines) == 5
    assert list(lines) == [(2, b"10\n"), (3, b"broken\n"), (5, b"10"), (4, b"20\n"), (1, b"30\n")]


def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    assert list(SortedLines(tmp_path / "log", time_of)) == []


def test_a_packed_file_and_an_endless_line_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "log").write_bytes(b"\x1f\x8b\x08")
    with pytest.raises(InvalidSource, match="gunzip"):
        SortedLines(tmp_path / "log", time_of)
    monkeypatch.setattr(json_lines, "MAX_LINE", 8)
    (tmp_path / "log").write_bytes(b"1\n" + b"2" * 9)
    with pytest.raises(InvalidSource, match="line 2 is longer than 8 bytes"):
        SortedLines(tmp_path / "log", time_of)
