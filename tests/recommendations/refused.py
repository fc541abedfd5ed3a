"""Version folders that must never answer: what was done to each, and what the refusal says.

``python -m tests.recommendations.refused`` prints the table that docs/models.md shows.
"""

from __future__ import annotations

import io
import json
import pickle
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from recommendations.core.manifest import MANIFEST_NAME
from recommendations.exceptions import VersionRefused
from recommendations.graphs.export import export_model_set, sha256_of
from recommendations.versions.folder import check_integrity, load_version
from tests.recommendations import model_worlds

Damage = Callable[[Path], dict[str, Any] | None]
"""Changes a folder; returns arguments of ``load_version`` where some are needed to see it."""


class Payload:
    """What runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemExit('unpickled')",))


PICKLED = pickle.dumps(Payload())


def write(folder: Path, name: str, content: bytes) -> None:
    """Put content into a file and into the manifest, as someone would who means it."""
    (folder / name).write_bytes(content)
    entry = {"sha256": sha256_of(folder / name), "size_bytes": len(content)}
    manifest(folder, lambda found: found["files"].update({name: entry}))


def manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest."""
    found = json.loads((folder / MANIFEST_NAME).read_text())
    change(found)
    (folder / MANIFEST_NAME).write_text(json.dumps(found))


def graph(folder: Path, name: str, change: Callable[[onnx.ModelProto], object]) -> None:
    """Change a graph, and the manifest with it."""
    model = onnx.load(str(folder / name))
    change(model)
    write(folder, name, model.SerializeToString())


def ranker_of(nodes: list[onnx.NodeProto]) -> bytes:
    """Return a graph in the ranker's place that runs these nodes."""
    made = helper.make_graph(
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
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return bytes(model.SerializeToString())


def half_copied(folder: Path) -> None:
    path = folder / "sessions.onnx"
    path.write_bytes(path.read_bytes()[:-100])


def flipped(folder: Path) -> None:
    path = folder / "als.onnx"
    content = bytearray(path.read_bytes())
    content[20_000:20_050] = bytes(byte ^ 0xFF for byte in content[20_000:20_050])
    path.write_bytes(content)


def exchanged_files(folder: Path) -> None:
    one, other = folder / "popularity_recent.npy", folder / "popularity_all_time.npy"
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def exchanged(folder: Path) -> dict[str, Any]:
    registered = check_integrity(folder)
    shutil.rmtree(folder)
    export_model_set(model_worlds.fitted_model_set(seed=1), folder)
    return {"expected_manifest_sha256": registered}


def other_columns(folder: Path) -> dict[str, Any]:
    return {"ranker_columns": ("column_0", "newer")}


def linked(folder: Path) -> None:
    target = folder / "als.onnx"
    target.rename(folder.parent / "als.onnx")
    target.symlink_to(folder.parent / "als.onnx")


def named_outside(folder: Path) -> None:
    entry = {"sha256": "0" * 64, "size_bytes": 1}
    manifest(folder, lambda found: found["files"].update({"../../etc/cron.d/x": entry}))


def run_outside(folder: Path) -> None:
    manifest(folder, lambda found: found["sources"]["als"].update({"graph": "/tmp/als.onnx"}))


def claimed_huge(folder: Path) -> None:
    manifest(folder, lambda found: found["files"]["als.onnx"].update({"size_bytes": 10**13}))


def pickled_questions(folder: Path) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=True, items=np.array([Payload()], object))
    write(folder, "golden.npz", buffer.getvalue())


def pickled_table(folder: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.array([Payload()], object), allow_pickle=True)
    write(folder, "ranking_item_columns.npy", buffer.getvalue())


def stored_outside(folder: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", "/etc/passwd"

    graph(folder, "als.onnx", change)


def huge_initialiser(folder: Path) -> None:
    model = onnx.load_from_string(ranker_of([helper.make_node("Add", ["matrix", "wide"], ["score"])]))
    tensor = TensorProto(name="wide", data_type=TensorProto.FLOAT, dims=[1 << 20, 1 << 20], raw_data=b"\0\0\0\0")
    model.graph.initializer.append(tensor)
    write(folder, "ranker.onnx", model.SerializeToString())


def own_operator(folder: Path) -> None:
    node = helper.make_node("Backdoor", ["matrix"], ["unused"], domain="evil.example")
    graph(folder, "ranker.onnx", lambda model: model.graph.node.append(node))


def loop(folder: Path) -> None:
    graph(
        folder, "ranker.onnx", lambda model: model.graph.node.append(helper.make_node("Loop", ["matrix"], ["unused"]))
    )


def hidden_operator(folder: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        choice = next(node for node in model.graph.node if node.op_type == "If")
        choice.attribute[0].g.node.append(helper.make_node("Backdoor", ["k"], ["unused"], domain="evil.example"))

    graph(folder, "als.onnx", change)


def own_function(folder: Path) -> None:
    function = helper.make_function("evil.example", "F", ["x"], ["y"], [helper.make_node("Identity", ["x"], ["y"])], [])
    graph(folder, "ranker.onnx", lambda model: model.functions.append(function))


def memory_hog(folder: Path) -> None:
    write(folder, "ranker.onnx", ranker_of([helper.make_node("Expand", ["one", "huge"], ["score"])]))


def crash(folder: Path) -> None:
    """Slicing 8 billion wrapped-around elements aborts ONNX Runtime 1.31: only the checking process dies."""
    nodes = [
        helper.make_node("Expand", ["one", "huge"], ["wide"]),
        helper.make_node("Concat", ["wide", "wide"], ["wider"], axis=0),
        helper.make_node("Slice", ["wider", "zero", "size"], ["score"]),
    ]
    write(folder, "ranker.onnx", ranker_of(nodes))


def another_fit(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as where:
        export_model_set(model_worlds.fitted_model_set(seed=5), Path(where) / "other")
        write(folder, "als.onnx", (Path(where) / "other" / "als.onnx").read_bytes())


CASES: dict[str, tuple[str, Damage]] = {
    "the folder is gone": ("missing", lambda folder: shutil.rmtree(folder)),
    "a file is gone": ("missing", lambda folder: (folder / "item_ids.json").unlink()),
    "a manifest that is no JSON": (
        "malformed_manifest",
        lambda f: (f / MANIFEST_NAME).write_bytes(b"\xff\xfe") and None,
    ),
    "a manifest with a field of its own": ("malformed_manifest", lambda f: manifest(f, lambda m: m.update(run="sh"))),
    "a manifest of 20 MB": ("too_large", lambda f: (f / MANIFEST_NAME).write_bytes(b" " * 20_000_000) and None),
    "a manifest of a newer release": ("schema", lambda f: manifest(f, lambda m: m.update(schema_version=99))),
    "a ranker of other columns": ("schema", other_columns),
    "a file copied by half": ("truncated", half_copied),
    "fifty bytes flipped": ("corrupt", flipped),
    "two files exchanged": ("swapped", exchanged_files),
    "the folder of another version": ("swapped", exchanged),
    "10 TB, says the manifest": ("too_large", claimed_huge),
    "a name that leaves the folder": ("unexpected_file", named_outside),
    "a graph elsewhere": ("unexpected_file", run_outside),
    "a link": ("unexpected_file", linked),
    "a pickle beside the files": ("unexpected_file", lambda f: (f / "model.pkl").write_bytes(PICKLED) and None),
    "a pickle in place of the item ids": ("corrupt", lambda f: write(f, "item_ids.json", PICKLED)),
    "a pickle in place of a graph": ("corrupt", lambda f: write(f, "als.onnx", PICKLED)),
    "pickled objects among the golden vectors": ("corrupt", pickled_questions),
    "pickled objects in a table": ("corrupt", pickled_table),
    "a tensor in /etc/passwd": ("external_data", stored_outside),
    "an initialiser of 4 TB": ("corrupt", huge_initialiser),
    "an operator of one's own": ("custom_operator", own_operator),
    "an operator hidden in a branch": ("custom_operator", hidden_operator),
    "a loop": ("custom_operator", loop),
    "a function of one's own": ("custom_operator", own_function),
    "32 GB asked for by four numbers": ("corrupt", memory_hog),
    "a crash of the runtime": ("check_failed", crash),
    "the weights of another fit": ("wrong_answers", another_fit),
}
"""What was done, the reason it is refused for, and how to do it."""


def refusal_of(folder: Path, damage: Damage) -> VersionRefused | None:
    """Damage a folder and return the refusal; None where it loads."""
    arguments = damage(folder)
    try:
        load_version(folder, providers="cpu", **(arguments if isinstance(arguments, dict) else {}))
    except VersionRefused as refusal:
        return refusal
    return None


def said(refusal: VersionRefused, folder: Path) -> str:
    """Return the message without what differs from machine to machine, and without what the runtime adds."""
    text = str(refusal).replace(str(folder), "v1").replace("|", "\\|")
    text = re.sub(r"\b[0-9a-f]{12}…", "…", text)
    text = re.sub(r"\d[\d,]{3,}", "N", text)
    theirs = r"(\[ONNXRuntimeError\]|120 s:|Error parsing message|invalid character).*"
    return re.sub(theirs, r"\1 …", text, flags=re.DOTALL)


def row(what: str, refusal: VersionRefused, folder: Path) -> str:
    """Return a line of the table."""
    return f"| {what} | `{refusal.reason}` | {said(refusal, folder)} |"


def table(where: Path) -> Iterator[str]:
    """Yield the lines of the table in docs/models.md."""
    written = where / "written"
    export_model_set(model_worlds.fitted_model_set(), written)
    yield "| done to the folder | reason | message |"
    yield "|---|---|---|"
    for number, (what, (_, damage)) in enumerate(CASES.items()):
        folder = where / str(number) / "v1"
        shutil.copytree(written, folder)
        refusal = refusal_of(folder, damage)
        yield row(what, refusal, folder) if refusal else f"| {what} | **loads** | |"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as where:
        for line in table(Path(where)):
            print(line, flush=True)
