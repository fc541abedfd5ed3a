"""A version folder goes live as it was written, or is refused with a reason."""

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
from onnx import TensorProto, helper

from recommendations.exceptions import ExportFailed, RefusalReason, VersionRefused
from recommendations.graphs import export
from recommendations.graphs.export import export_model_set
from recommendations.inference.golden_check import check_answers
from recommendations.manifest import MANIFEST_NAME, read_manifest
from recommendations.versions import check_in_limited_process, check_integrity, load_version
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


def test_a_version_loads_as_it_was_written(folder: Path) -> None:
    loaded = load_version(folder, providers="cpu")
    assert loaded.verdict is not None
    assert set(loaded.verdict.agreement) == {"als", "sessions", "tfidf", "covisitation", "ranker"}
    assert min(loaded.verdict.agreement.values()) == 1.0
    assert loaded.manifest.feature_views == {"session": 1}
    assert (folder / "plots" / "recall.png").read_bytes() == PLOT
    assert loaded.model_set.item_ids[loaded.model_set.item_index["item-7"]] == "item-7"


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


def test_flipped_weight_bytes_are_corrupt(folder: Path) -> None:
    path = folder / "als.onnx"
    content = bytearray(path.read_bytes())
    for offset in range(20_000, 20_050):
        content[offset] ^= 0xFF
    path.write_bytes(content)
    refusal = refusal_of(lambda: check_integrity(folder))
    assert refusal.reason is RefusalReason.CORRUPT
    assert "als.onnx" in str(refusal)


def test_a_half_copied_file_is_truncated(folder: Path) -> None:
    path = folder / "sessions.onnx"
    path.write_bytes(path.read_bytes()[:-100])
    assert refusal_of(lambda: check_integrity(folder)).reason is RefusalReason.TRUNCATED


def test_files_that_changed_places_are_swapped(folder: Path) -> None:
    first, second = folder / "popularity_recent.npy", folder / "popularity_all_time.npy"
    recent, all_time = first.read_bytes(), second.read_bytes()
    first.write_bytes(all_time)
    second.write_bytes(recent)
    refusal = refusal_of(lambda: check_integrity(folder))
    assert refusal.reason is RefusalReason.SWAPPED
    assert "belongs into popularity_" in str(refusal)


def test_a_folder_exchanged_as_a_whole_is_swapped(folder: Path, tmp_path: Path) -> None:
    registered = check_integrity(folder)
    export_model_set(model_worlds.fitted_model_set(seed=1), tmp_path / "other")
    refusal = refusal_of(lambda: load_version(tmp_path / "other", expected_manifest_sha256=registered))
    assert refusal.reason is RefusalReason.SWAPPED


def test_a_missing_file_and_a_missing_folder_are_missing(folder: Path) -> None:
    (folder / "item_ids.json").unlink()
    assert refusal_of(lambda: check_integrity(folder)).reason is RefusalReason.MISSING
    assert refusal_of(lambda: check_integrity(folder / "nowhere")).reason is RefusalReason.MISSING


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


def test_a_manifest_of_absurd_size_is_too_large(folder: Path) -> None:
    rewrite_manifest(folder, lambda manifest: manifest["files"]["als.onnx"].update({"size_bytes": 10**13}))
    assert refusal_of(lambda: check_integrity(folder)).reason is RefusalReason.TOO_LARGE


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff\xfe", b'{"schema_version": "one"}'])
def test_a_manifest_that_is_none_is_malformed(folder: Path, content: bytes) -> None:
    (folder / MANIFEST_NAME).write_bytes(content)
    assert refusal_of(lambda: read_manifest(folder)).reason is RefusalReason.MALFORMED_MANIFEST


def test_a_manifest_of_another_schema_is_refused(folder: Path) -> None:
    rewrite_manifest(folder, lambda manifest: manifest.update({"schema_version": 99}))
    assert refusal_of(lambda: read_manifest(folder)).reason is RefusalReason.SCHEMA


def test_a_ranker_of_other_columns_is_refused_before_it_is_asked(folder: Path) -> None:
    refusal = refusal_of(lambda: load_version(folder, expected_columns=("column_0", "another")))
    assert refusal.reason is RefusalReason.SCHEMA
    assert "another" in str(refusal)


def test_weights_of_another_fit_under_a_matching_manifest_give_wrong_answers(folder: Path, tmp_path: Path) -> None:
    export_model_set(model_worlds.fitted_model_set(seed=5), tmp_path / "other")
    replace_file(folder, "als.onnx", (tmp_path / "other" / "als.onnx").read_bytes())
    check_integrity(folder)
    refusal = refusal_of(lambda: check_in_limited_process(folder))
    assert refusal.reason is RefusalReason.WRONG_ANSWERS
    assert "als agrees with" in str(refusal)


def test_tensors_outside_of_the_file_are_refused(folder: Path) -> None:
    model = onnx.load(str(folder / "als.onnx"))
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"
    replace_file(folder, "als.onnx", model.SerializeToString())
    refusal = refusal_of(lambda: check_in_limited_process(folder))
    assert refusal.reason is RefusalReason.EXTERNAL_DATA
    assert "/etc/passwd" in str(refusal)


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


def test_an_operator_hidden_inside_a_branch_is_refused(folder: Path) -> None:
    model = onnx.load(str(folder / "als.onnx"))
    choice = next(node for node in model.graph.node if node.op_type == "If")
    choice.attribute[0].g.node.append(helper.make_node("Backdoor", ["k"], ["unused"], domain="evil.example"))
    replace_file(folder, "als.onnx", model.SerializeToString())
    assert refusal_of(lambda: check_answers(folder)).reason is RefusalReason.CUSTOM_OPERATOR


def test_a_file_that_is_no_graph_is_corrupt(folder: Path) -> None:
    replace_file(folder, "sessions.onnx", b"\x00" * 10_000)
    assert refusal_of(lambda: check_in_limited_process(folder)).reason is RefusalReason.CORRUPT


def test_a_graph_that_wants_more_memory_than_it_may_have_is_refused(folder: Path) -> None:
    """A graph of a few bytes that asks for 32 GB: the check ends, this process does not notice."""
    replace_file(folder, "ranker.onnx", ranker_of([helper.make_node("Expand", ["one", "huge"], ["score"])]))
    refusal = refusal_of(lambda: check_in_limited_process(folder))
    assert refusal.reason is RefusalReason.CORRUPT
    assert "cannot answer" in str(refusal)


def test_a_graph_that_crashes_the_runtime_is_refused(folder: Path) -> None:
    """Slicing 8 billion wrapped-around elements aborts ONNX Runtime 1.31: only the checking process dies."""
    nodes = [
        helper.make_node("Expand", ["one", "huge"], ["wide"]),
        helper.make_node("Concat", ["wide", "wide"], ["wider"], axis=0),
        helper.make_node("Slice", ["wider", "zero", "size"], ["score"]),
    ]
    replace_file(folder, "ranker.onnx", ranker_of(nodes))
    refusal = refusal_of(lambda: check_in_limited_process(folder))
    assert refusal.reason in {RefusalReason.CHECK_FAILED, RefusalReason.CORRUPT}


def ranker_of(nodes: list[onnx.NodeProto]) -> bytes:
    graph = helper.make_graph(
        nodes,
        "hostile",
        [helper.make_tensor_value_info("matrix", TensorProto.FLOAT, ["n", model_worlds.N_COLUMNS])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, None)],
        [
            helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0]),
            helper.make_tensor("huge", TensorProto.INT64, [1], [8 * 10**9]),
            helper.make_tensor("zero", TensorProto.INT64, [1], [0]),
            helper.make_tensor("size", TensorProto.INT64, [1], [64]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return bytes(model.SerializeToString())


def test_a_check_that_takes_too_long_is_refused(folder: Path) -> None:
    refusal = refusal_of(lambda: check_in_limited_process(folder, timeout_s=0))
    assert refusal.reason is RefusalReason.CHECK_FAILED
    assert "within 0 s" in str(refusal)
