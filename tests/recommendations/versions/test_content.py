"""The folder of a content table: whole or not there, and what cannot be read costs nothing but itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recommendations.core.content_table import ContentTable
from recommendations.versions import content
from recommendations.versions.content import (
    ContentManifest,
    content_folder,
    newest_folder,
    read_manifest,
    read_table,
    write_table,
)
from tests.recommendations.items.test_content import table


@pytest.fixture(autouse=True)
def _models(tmp_path: Path, settings: object) -> None:
    settings.MODEL_DIR = tmp_path  # type: ignore[attr-defined]


def written(version: str) -> Path:
    made = table(["a", "b"], [0, 1], {0: [1], 1: [0]})
    known = {name: getattr(made, name) for name in ContentTable.__slots__}
    return write_table(
        "shop",
        ContentTable(**{**known, "version": version}),
        ContentManifest(encoder="given", n_items=2, n_units=2, seen="2"),
        {"digests": np.arange(2, dtype=np.uint64)},
    )


def test_what_was_written_is_read_as_it_was() -> None:
    written("1")

    folder = newest_folder("shop")
    assert folder is not None
    found = read_table(folder)

    assert found is not None
    assert (found.version, found.encoder, found.load_ids()) == ("1", "given", ("a", "b"))
    assert found.neighbours[:, 0].tolist() == [1, 0]
    assert isinstance(found.vectors, np.memmap)


def test_the_two_newest_are_kept_and_one_that_is_open_stays_readable() -> None:
    first = read_table(written("1"))
    for version in ("2", "3", "4"):
        written(version)

    assert sorted(each.name for each in content_folder("shop").iterdir()) == ["3", "4"]
    assert newest_folder("shop") == content_folder("shop") / "4"
    assert first is not None
    assert first.neighbours[:, 0].tolist() == [1, 0]


def test_a_site_without_a_table_has_none() -> None:
    assert newest_folder("nobody") is None


@pytest.mark.parametrize(
    "harm", ["no manifest", "bad manifest", "other schema", "no array", "short array", "cut array"]
)
def test_a_damaged_folder_is_no_table(harm: str) -> None:
    folder = written("1")
    manifest, array = folder / content.MANIFEST, folder / "vectors.npy"
    if harm == "no manifest":
        manifest.unlink()
    elif harm == "bad manifest":
        manifest.write_text("{")
    elif harm == "other schema":
        manifest.write_text(manifest.read_text().replace(f'"schema":{content.SCHEMA}', '"schema":99'))
        assert read_manifest(folder) is None
    elif harm == "no array":
        array.unlink()
    elif harm == "short array":
        np.save(array, np.zeros((1, 2), np.float16))
    else:
        array.write_bytes(array.read_bytes()[:40])

    assert read_table(folder) is None


def test_a_write_that_fails_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    written("1")

    def full(*args: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(content.np, "save", full)
    with pytest.raises(OSError, match="No space"):
        written("2")

    assert [each.name for each in content_folder("shop").iterdir()] == ["1"]
