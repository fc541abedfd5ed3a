"""Runs on disk come back in order, whatever the order, the size of the runs and what was interrupted."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsite.importing.reading import sorting
from recsite.importing.reading.sorting import Entry, SortedEntries, order

ENTRIES = st.lists(
    st.builds(Entry, st.integers(-1, 5), st.sampled_from("ab"), st.binary(max_size=3), st.integers(1, 9)), max_size=60
)


@pytest.mark.slow
@given(ENTRIES, st.integers(1, 2_000))
def test_entries_come_back_sorted_with_any_size_of_runs(entries: list[Entry], run_bytes: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = SortedEntries(Path(folder) / "runs", lambda: entries, run_bytes=run_bytes)
        assert list(found) == sorted(entries, key=order)
        assert found.prepare().entries == len(entries)


def test_many_runs_are_merged_into_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorting, "MAX_RUNS", 3)
    entries = [Entry(number * 7 % 100, "", b"", number) for number in range(100)]
    found = SortedEntries(tmp_path / "runs", lambda: entries, run_bytes=1)
    assert [entry.at_ms for entry in found] == list(range(100))
    assert len(list((tmp_path / "runs").glob("run-*"))) <= 3


def test_a_finished_sort_is_reused_and_an_interrupted_one_starts_over(tmp_path: Path) -> None:
    def broken() -> Iterator[Entry]:
        yield Entry(2, "", b"", 1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        SortedEntries(tmp_path / "runs", broken, run_bytes=1).prepare()
    whole = [Entry(1, "", b"x", 1)]
    SortedEntries(tmp_path / "runs", lambda: whole, lambda: b"notes").prepare()

    again = SortedEntries(tmp_path / "runs", broken)

    assert list(again) == whole
    assert again.prepare().notes == b"notes"
    again.forget()
    assert not (tmp_path / "runs").exists()
