"""A version folder goes live as it was written, or is refused with a reason; most reasons are in test_refused_files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from recommendations.core.manifest import MANIFEST_NAME, read_manifest
from recommendations.exceptions import ExportFailed, RefusalReason, VersionRefused
from recommendations.graphs import export
from recommendations.graphs.export import export_model_set
from recommendations.versions.folder import check_in_limited_process, check_integrity, load_version
from tests.recommendations import model_worlds

PLOT = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("versions") / "v1"
    export_model_set(model_worlds.fitted_model_set(), folder, feature_views={"session": 1}, plots={"recall.png": PLOT})
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    """A copy of its own, to be damaged."""
    return Path(shutil.copytree(written, tmp_path / "v1"))


def refusal_of(call: Callable[[], Any]) -> VersionRefused:
    with pytest.raises(VersionRefused) as caught:
        call()
    return caught.value


def rewrite_manifest(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    manifest = json.loads((folder / MANIFEST_NAME).read_text())
    change(manifest)
    (folder / MANIFEST_NAME).write_text(json.dumps(manifest))


def replace_file(folder: Path, name: str, content: bytes) -> None:
    """Put other content into a file and into the manifest, as someone would who means it."""
    (folder / name).write_bytes(content)
    entry = {"sha256": export.sha256_of(folder / name), "size_bytes": len(content)}
    rewrite_manifest(folder, lambda manifest: manifest["files"].update({name: entry}))


@pytest.mark.slow
def test_a_version_loads_as_it_was_written(folder: Path) -> None:
    loaded = load_version(folder, providers="cpu")
    assert loaded.verdict is not None
    assert set(loaded.verdict.agreement) == {"als", "sessions", "tfidf", "covisitation", "ranker"}
    assert min(loaded.verdict.agreement.values()) == 1.0
    assert loaded.manifest.feature_views == {"session": 1}
    assert (folder / "plots" / "recall.png").read_bytes() == PLOT
    assert loaded.model_set.item_ids[loaded.model_set.index_of["item-7"]] == "item-7"


def test_two_exports_of_the_same_fit_hold_the_same_files(tmp_path: Path, written: Path) -> None:
    export_model_set(model_worlds.fitted_model_set(), tmp_path / "again")
    first, second = read_manifest(written).files, read_manifest(tmp_path / "again").files
    for name in second:
        if name != "golden.npz":  # an archive notes the time of its members
            assert first[name] == second[name], name


def test_a_failed_export_leaves_nothing_behind(tmp_path: Path) -> None:
    fitted = model_worlds.fitted_model_set()
    wrong = replace(fitted, item_ids=fitted.item_ids[:-1])
    with pytest.raises(ExportFailed, match="rows, but there are 119 item ids"):
        export_model_set(wrong, tmp_path / "v1")
    diverged = replace(fitted.als, item_factors=np.full_like(fitted.als.item_factors, np.nan))
    with pytest.raises(ExportFailed, match="not finite numbers"):
        export_model_set(replace(fitted, als=diverged), tmp_path / "v1")
    assert list(tmp_path.iterdir()) == []


def test_a_version_is_never_overwritten(folder: Path) -> None:
    with pytest.raises(ExportFailed, match="exists already"):
        export_model_set(model_worlds.fitted_model_set(), folder)


@pytest.mark.parametrize("name", ["../outside.onnx", "/etc/passwd", "plots/../../x", "a/b.onnx", "..\\x"])
def test_names_that_leave_the_folder_are_refused(folder: Path, name: str) -> None:
    entry = {"sha256": "0" * 64, "size_bytes": 1}
    rewrite_manifest(folder, lambda manifest: manifest["files"].update({name: entry}))
    refusal = refusal_of(lambda: check_integrity(folder))
    assert refusal.reason is RefusalReason.UNEXPECTED_FILE
    assert repr(name) in str(refusal)


@pytest.mark.parametrize("graph", ["../other/als.onnx", "/tmp/als.onnx", "item_ids.onnx", "item_ids.json"])
def test_a_graph_outside_of_the_checked_files_is_refused(folder: Path, graph: str) -> None:
    for key in ("graph", "cuda_graph"):
        rewrite_manifest(folder, lambda manifest, key=key: manifest["sources"]["als"].update({key: graph}))
        refusal = refusal_of(lambda: check_integrity(folder))
        assert refusal.reason is RefusalReason.UNEXPECTED_FILE
        assert repr(graph) in str(refusal)
    rewrite_manifest(folder, lambda manifest: manifest["sources"].pop("als"))
    rewrite_manifest(folder, lambda manifest: manifest["ranker"].update({"graph": graph}))
    assert refusal_of(lambda: check_integrity(folder)).reason is RefusalReason.UNEXPECTED_FILE


def test_links_and_files_beside_the_manifest_are_refused(folder: Path) -> None:
    (folder / "extra.bin").write_bytes(b"x")
    assert refusal_of(lambda: check_integrity(folder)).reason is RefusalReason.UNEXPECTED_FILE
    (folder / "extra.bin").unlink()
    target = folder / "als.onnx"
    target.rename(folder.parent / "als.onnx")
    target.symlink_to(folder.parent / "als.onnx")
    assert refusal_of(lambda: check_integrity(folder)).reason is RefusalReason.UNEXPECTED_FILE


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff\xfe", b'{"schema_version": "one"}'])
def test_a_manifest_that_is_none_is_malformed(folder: Path, content: bytes) -> None:
    (folder / MANIFEST_NAME).write_bytes(content)
    assert refusal_of(lambda: read_manifest(folder)).reason is RefusalReason.MALFORMED_MANIFEST


@pytest.mark.slow
@pytest.mark.parametrize(
    ("operator", "domain"), [("Backdoor", "evil.example"), ("Backdoor", "com.microsoft"), ("Loop", ""), ("Scan", "")]
)
def test_operators_that_no_exporter_writes_are_refused(folder: Path, operator: str, domain: str) -> None:
    model = onnx.load(str(folder / "ranker.onnx"))
    model.graph.node.append(helper.make_node(operator, ["matrix"], ["unused"], domain=domain))
    replace_file(folder, "ranker.onnx", model.SerializeToString())
    refusal = refusal_of(lambda: check_in_limited_process(folder))
    assert refusal.reason is RefusalReason.CUSTOM_OPERATOR
    assert operator in str(refusal)


def test_a_check_that_takes_too_long_is_refused(folder: Path) -> None:
    refusal = refusal_of(lambda: check_in_limited_process(folder, timeout_s=0))
    assert refusal.reason is RefusalReason.CHECK_FAILED
    assert "within 0 s" in str(refusal)
