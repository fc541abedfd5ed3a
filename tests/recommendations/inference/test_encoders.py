"""The contract of a sentence encoder, with tiny ones that are made here: no package that we found ships an ONNX encoder
together with its tokenizer. Vectors are checked against the arithmetic of the graph.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers

from recommendations.exceptions import EncoderRefused
from recommendations.inference.encoders import SentenceEncoder

WORDS = ["[PAD]", "[UNK]", "red", "blue", "leather", "boot", "mug", "чашка", "rouge"]
TABLE = np.random.default_rng(0).standard_normal((len(WORDS), 6)).astype(np.float32)
TABLE[WORDS.index("rouge")] = TABLE[WORDS.index("red")]


def encoder_folder(
    folder: Path,
    *,
    pooled: bool = False,
    dtype: int = TensorProto.INT64,
    inputs: tuple[str, ...] = ("input_ids", "attention_mask"),
    options: dict[str, Any] | None = None,
    table: np.ndarray = TABLE,
) -> Path:
    """Write an encoder whose token vectors are rows of ``table``; pooled ones are their plain sum."""
    folder.mkdir(exist_ok=True)
    nodes = [helper.make_node("Gather", ["table", inputs[0]], ["last_hidden_state"])]
    shape: list[int | str] = ["batch", "tokens", table.shape[1]]
    outputs = [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, shape)]
    if pooled:
        nodes.append(helper.make_node("ReduceSum", ["last_hidden_state", "axis"], ["sentence"], keepdims=0))
        outputs.append(helper.make_tensor_value_info("sentence", TensorProto.FLOAT, ["batch", table.shape[1]]))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, dtype, ["batch", "tokens"]) for name in inputs],
        outputs,
        [numpy_helper.from_array(table, "table"), numpy_helper.from_array(np.array([1]), "axis")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, folder / "model.onnx")
    tokenizer = Tokenizer(models.WordLevel({word: row for row, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    if options is not None:
        (folder / "encoder.json").write_text(json.dumps(options))
    return folder


def mean_of(*words: str) -> np.ndarray:
    mean = TABLE[[WORDS.index(word) for word in words]].mean(axis=0)
    return mean / np.linalg.norm(mean)


@pytest.mark.parametrize("dtype", [TensorProto.INT64, TensorProto.INT32])
@pytest.mark.parametrize(
    "inputs", [("input_ids",), ("input_ids", "attention_mask"), ("input_ids", "attention_mask", "token_type_ids")]
)
def test_token_vectors_are_pooled_over_what_is_no_padding(tmp_path: Path, dtype: int, inputs: tuple[str, ...]) -> None:
    encoder = SentenceEncoder(encoder_folder(tmp_path / "e", dtype=dtype, inputs=inputs))

    found = encoder.vectors(["red boot", "mug", "", "red leather boot mug", "чашка"])

    expected = [mean_of("red", "boot"), mean_of("mug"), np.zeros(6), mean_of("red", "leather", "boot", "mug")]
    assert np.allclose(found, [*expected, mean_of("чашка")], atol=1e-6)
    assert (encoder.n_dimensions, found.dtype) == (6, np.float32)


def test_many_texts_are_encoded_as_each_alone(tmp_path: Path) -> None:
    encoder = SentenceEncoder(encoder_folder(tmp_path / "e"))
    chance = np.random.default_rng(1)
    texts = [" ".join(chance.choice(WORDS[2:], size=int(chance.integers(0, 9)))) for _ in range(100)]

    together = encoder.vectors(texts)

    assert np.allclose(together, np.concatenate([encoder.vectors([text]) for text in texts]), atol=1e-6)
    assert encoder.vectors([]).shape == (0, 6)


def test_options_choose_output_pooling_prefix_and_length(tmp_path: Path) -> None:
    options = {"output": "sentence", "prefix": "red ", "max_tokens": 3}
    summed = SentenceEncoder(encoder_folder(tmp_path / "a", pooled=True, options=options))
    first = SentenceEncoder(encoder_folder(tmp_path / "b", options={"pooling": "first"}))

    total = TABLE[[2, 5, 6]].sum(axis=0)
    assert np.allclose(summed.vectors(["boot mug leather blue"])[0], total / np.linalg.norm(total), atol=1e-6)
    assert np.allclose(first.vectors(["boot mug"])[0], mean_of("boot"), atol=1e-6)


def test_languages_meet_where_the_model_brings_them_together(tmp_path: Path) -> None:
    red, rouge = SentenceEncoder(encoder_folder(tmp_path / "e")).vectors(["red mug", "rouge mug"])

    assert red @ rouge == pytest.approx(1.0, abs=1e-5)


def test_the_name_changes_with_every_file(tmp_path: Path) -> None:
    plain = SentenceEncoder(encoder_folder(tmp_path / "a")).name

    assert SentenceEncoder(encoder_folder(tmp_path / "b")).name == plain
    assert SentenceEncoder(encoder_folder(tmp_path / "c", table=2 * TABLE)).name != plain
    assert SentenceEncoder(encoder_folder(tmp_path / "d", options={"max_tokens": 5})).name != plain


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        ({"folder": True}, "is not a folder"),
        ({"without": "model.onnx"}, "model.onnx is missing"),
        ({"without": "tokenizer.json"}, "tokenizer.json is missing"),
        ({"write": ("model.onnx", "no graph")}, "cannot be loaded"),
        ({"write": ("tokenizer.json", "{}")}, "is no tokenizer that we can read"),
        ({"options": {"pooling": "max"}}, "pooling"),
        ({"options": {"max_token": 5}}, "max_token"),
        ({"options": {"max_tokens": 0}}, "max_tokens=0"),
        ({"options": {"output": "pooled"}}, "'pooled' is not among the outputs last_hidden_state"),
        ({"inputs": ("words",)}, "has the inputs words"),
        ({"inputs": ("input_ids", "pixels")}, "attention_mask, pixels|input_ids, pixels"),
        ({"dtype": TensorProto.FLOAT}, "cannot be loaded|tensor\\(float\\)"),
        ({"table": 0 * TABLE}, "zeros"),
        ({"table": TABLE * np.nan}, "numbers that are none"),
    ],
)
def test_what_is_no_encoder_is_refused_with_file_and_cause(tmp_path: Path, harm: dict[str, Any], says: str) -> None:
    made = {name: harm[name] for name in ("options", "inputs", "dtype", "table") if name in harm}
    folder = encoder_folder(tmp_path / "e", **made)
    if "without" in harm:
        (folder / harm["without"]).unlink()
    if "write" in harm:
        (folder / harm["write"][0]).write_text(harm["write"][1])

    with pytest.raises(EncoderRefused, match=says):
        SentenceEncoder(tmp_path / "nowhere" if "folder" in harm else folder)
