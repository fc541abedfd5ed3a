"""A tombstone names nobody, is the same wherever it is made, and survives a change of the secret."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path
from typing import Any

import pytest

from features.archive.writer import ArchiveFolder
from features.privacy import tombstones
from features.privacy.tombstones import Tombstone


def test_without_the_secret_a_hash_cannot_be_guessed(settings: Any) -> None:
    settings.SECRET_KEY = "one" * 20
    first = tombstones.user_hash("shop", "u:42")
    assert first == tombstones.user_hash("shop", "u:42")
    assert len(first) == 64
    assert first != tombstones.user_hash("other", "u:42")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "two" * 20, ["one" * 20]
    assert tombstones.user_hash("shop", "u:42") != first
    assert first in tombstones.hashes("shop", "u:42")


def test_what_an_earlier_version_kept_is_still_known() -> None:
    assert hashlib.sha256(b"shop/u:42").hexdigest() in tombstones.hashes("shop", "u:42")


@pytest.mark.parametrize("is_disk", [True, False])
def test_they_stand_beside_the_archive(tmp_path: Path, is_disk: bool) -> None:
    folder = ArchiveFolder(str(tmp_path) if is_disk else f"memory://archive-{uuid.uuid4().hex}")
    assert list(tombstones.read(folder)) == []
    for until_ms in (1, 2):
        tombstones.write(folder, Tombstone(site="shop", user_hash="k-1", spans=[(0, until_ms)]))
    tombstones.write(folder, Tombstone(site="other", user_hash="k-1", spans=[(4, 9)]))
    assert [(one.site, one.erased_until_ms) for one in tombstones.read(folder)] == [("other", 9), ("shop", 2)]
    assert folder.files() == []


def test_spans_that_meet_become_one() -> None:
    stone = Tombstone(site="shop", user_hash="k-1", spans=[(10, 20)])
    assert stone.joined([[21, 30], (40, 50), (0, 5)]).spans == [(0, 5), (10, 30), (40, 50)]
    assert stone.joined([]).erased_until_ms == 20
    assert Tombstone(site="shop", user_hash="k-1", spans=[]).erased_until_ms == -1
    gone = {tombstones.user_hash("shop", "u:42"): [(10, 20)]}
    assert [tombstones.is_erased(gone, "shop", "u:42", at_ms) for at_ms in (9, 10, 20, 21)] == [
        False,
        True,
        True,
        False,
    ]
    assert not tombstones.is_erased(gone, "shop", "u:43", 15)
