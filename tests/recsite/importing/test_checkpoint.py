"""The progress of an import on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from recsite.importing.checkpoint import Checkpoint, InvalidCheckpoint, Progress, fingerprint_of


def test_what_is_saved_is_loaded_again(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "new" / "import.json", "abc")
    assert checkpoint.load() == Progress(fingerprint="abc")

    checkpoint.save(Progress(fingerprint="abc", units=7, intent={0: "5-1"}))

    assert checkpoint.load() == Progress(fingerprint="abc", units=7, intent={0: "5-1"})
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["import.json"]
    checkpoint.forget()
    assert checkpoint.load().units == 0


@pytest.mark.parametrize(("content", "said"), [(b'{"fingerp', "damaged"), (b'{"fingerprint": "other"}', "--restart")])
def test_one_that_cannot_be_used_says_what_to_do(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "import.json").write_bytes(content)
    with pytest.raises(InvalidCheckpoint, match=said):
        Checkpoint(tmp_path / "import.json", "abc").load()


def test_a_fingerprint_changes_with_size_head_and_tail(tmp_path: Path) -> None:
    path = tmp_path / "log"
    seen = set()
    megabyte = b"x" * (1 << 20)
    for content in (megabyte * 3, b"y" + megabyte * 3, b"y" + megabyte * 3 + b"z", b"y" + megabyte * 3 + b"w"):
        path.write_bytes(content)
        seen.add(fingerprint_of(path))
    assert len(seen) == 4
