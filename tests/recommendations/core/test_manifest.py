"""A manifest comes back as it was written; one that is missing, too large, malformed or newer is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from recommendations.core.manifest import (
    MANIFEST_NAME,
    MAX_MANIFEST_BYTES,
    SCHEMA_VERSION,
    DataRangeEntry,
    FileEntry,
    FusionEntry,
    Manifest,
    RankerEntry,
    SourceEntry,
    read_manifest,
    write_manifest,
)
from recommendations.exceptions import RefusalReason, VersionRefused

MANIFEST = Manifest(
    schema_version=SCHEMA_VERSION,
    created_at_ms=1,
    n_items=3,
    sources={"als": SourceEntry(kind="fold_in", graph="als.onnx", last_n=10)},
    ranker=RankerEntry(graph="ranker.onnx", columns=("one", "two")),
    fusion=FusionEntry(weights={"als": 1.0}, k=3.0),
    files={"als.onnx": FileEntry(sha256="0" * 64, size_bytes=7)},
    feature_views={},
    data_range=DataRangeEntry(first_ms=0, last_ms=1, interactions=2, sessions=1, users=1),
    seeds={"als": 5},
    parameters={},
    metrics={},
    library_versions={},
)


def refusal_of(folder: Path) -> VersionRefused:
    with pytest.raises(VersionRefused) as caught:
        read_manifest(folder)
    return caught.value


def rewritten(folder: Path, **changes: Any) -> Path:
    write_manifest(MANIFEST, folder)
    found = json.loads((folder / MANIFEST_NAME).read_text())
    (folder / MANIFEST_NAME).write_text(json.dumps({**found, **changes}))
    return folder


def test_what_is_written_comes_back_and_can_be_read_by_people(tmp_path: Path) -> None:
    write_manifest(MANIFEST, tmp_path)

    assert read_manifest(tmp_path) == MANIFEST
    lines = (tmp_path / MANIFEST_NAME).read_text().splitlines()
    names = [line.split('"')[1] for line in lines if line.startswith(' "')]
    assert names == sorted(Manifest.__struct_fields__)


def test_a_manifest_of_another_schema_says_which_this_release_reads(tmp_path: Path) -> None:
    refusal = refusal_of(rewritten(tmp_path, schema_version=SCHEMA_VERSION + 1))

    assert refusal.reason is RefusalReason.SCHEMA
    assert f"this release reads {SCHEMA_VERSION}; train again" in str(refusal)


@pytest.mark.parametrize("changes", [{"n_items": "three"}, {"run": "sh"}, {"sources": {"als": {"kind": "fold_in"}}}])
def test_wrong_missing_and_further_fields_are_malformed(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert refusal_of(rewritten(tmp_path, **changes)).reason is RefusalReason.MALFORMED_MANIFEST


def test_a_missing_and_a_huge_file_are_told_apart(tmp_path: Path) -> None:
    assert refusal_of(tmp_path).reason is RefusalReason.MISSING
    (tmp_path / MANIFEST_NAME).write_bytes(b" " * (MAX_MANIFEST_BYTES + 1))

    assert refusal_of(tmp_path).reason is RefusalReason.TOO_LARGE
