"""The archive knows of all browsers of a user, also of those that the profile has forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from features.archive.writer import ArchiveFolder
from features.privacy import closure
from features.privacy.closure import find_ownership
from tests.features.privacy.lives import archive, row


def test_forty_browsers_of_one_user_are_found(tmp_path: Path) -> None:
    folder = ArchiveFolder(str(tmp_path))
    rows = [row(f"browser-{number:02d}-{'0' * 16}", "ann", day=number % 5, at=number) for number in range(40)]
    archive(folder, [*rows, row("elsewhere-0000000000000", "bob", day=1, at=1)])
    whole = find_ownership(folder, site="shop", user_id="ann", browsers=("told-by-the-caller-000",))
    assert len(whole.browsers) == 41
    assert whole.browsers[0] == "told-by-the-caller-000"
    assert len(whole.user_keys) == 42


def test_an_empty_archive_leaves_what_the_caller_says(tmp_path: Path) -> None:
    folder = ArchiveFolder(str(tmp_path))
    assert find_ownership(folder, site="shop", user_id="ann", browsers=()).user_keys == ["u:ann"]
    assert find_ownership(folder, site="shop", user_id=None, browsers=("b" * 16,)).user_keys == ["a:" + "b" * 16]


def test_a_file_that_is_joined_meanwhile_is_read_under_its_new_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ArchiveFolder(str(tmp_path))
    archive(folder, [row("first-browser-000000", "ann", day=2), row("second-browser-00000", "ann", day=1)])
    _, newer = folder.files()
    real, joined = closure.read_table, newer.replace("p0-", "joined-")

    def reading(where: ArchiveFolder, path: str, **options: Any) -> Any:
        if Path(newer).exists():
            Path(newer).rename(joined)
        return real(where, path, **options)

    monkeypatch.setattr(closure, "read_table", reading)

    whole = find_ownership(folder, site="shop", user_id="ann", browsers=())

    assert set(whole.browsers) == {"first-browser-000000", "second-browser-00000"}
