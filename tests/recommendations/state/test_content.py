"""A site's table in a web process: the newest that can be read, the same object while there is no newer one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from recommendations.state.content import ContentLoader
from recommendations.versions.content import ContentManifest, write_table
from tests.recommendations.items.test_content import table


@pytest.fixture(autouse=True)
def _models(tmp_path: Path, settings: object) -> None:
    settings.MODEL_DIR = tmp_path  # type: ignore[attr-defined]


def test_the_newest_table_is_held_until_a_newer_one_can_be_read() -> None:
    loader = ContentLoader("shop")
    assert loader.load() is None
    manifest = ContentManifest(encoder="given", n_items=2, n_units=2, seen="2")
    made = table(["a", "b"], [0, 1], {0: [1]})
    write_table("shop", made, manifest)

    held = loader.load()
    assert held is not None
    assert held.version == made.version
    assert loader.load() is held

    broken = write_table("shop", dataclasses.replace(made, version="2"), manifest)
    (broken / "vectors.npy").write_bytes(b"")
    assert loader.load() is held
    write_table("shop", dataclasses.replace(made, version="3"), manifest)
    newest = loader.load()
    assert newest is not None
    assert newest.version == "3"
