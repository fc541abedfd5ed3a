"""Encoders of texts from a shop's own folder: ``model.onnx``, ``tokenizer.json`` and, where needed, ``encoder.json``.

The contract is what sentence encoders are exported with everywhere. Inputs: ``input_ids`` and ``attention_mask``, and
``token_type_ids`` where the model has it, int64 or int32 of shape (batch, tokens). Output, the first one or the one
named in ``encoder.json``: float of shape (batch, d), or (batch, tokens, d), which is pooled.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from recommendations.exceptions import EncoderRefused, ModelUnavailable
from recommendations.inference.runtime import GraphSession, load_session

MODEL: Final = "model.onnx"
TOKENIZER: Final = "tokenizer.json"
OPTIONS: Final = "encoder.json"
IDS: Final = "input_ids"
MASK: Final = "attention_mask"
TYPES: Final = "token_type_ids"
MAX_DIMENSIONS: Final = 4_096
BATCH: Final = 32
_PROBE: Final = ("red leather boot", "mug")


class EncoderOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``encoder.json`` may say.

    Attributes
    ----------
    max_tokens : int
        Longer texts are cut.
    pooling : str
        How the vectors of tokens become one: their mean, or the first one.
    prefix : str
        Written before each text, as some models ask for (``passage: ``).
    output : str
        Name of the output; empty for the first one.
    """

    max_tokens: int = 128
    pooling: Literal["mean", "first"] = "mean"
    prefix: str = ""
    output: str = ""


class SentenceEncoder:
    """A text encoder that was asked once and answered; not thread-safe.

    Attributes
    ----------
    name : str
        Of the contents of its files: vectors of another model, or of other options, are others.
    n_dimensions : int
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._options = _options(folder)
        self._tokenizer = _tokenizer(folder, self._options)
        self._session = _session(folder)
        self._dtypes = _checked_inputs(self._session, folder / MODEL)
        self._output = _output(self._session, self._options, folder)
        self.name = f"onnx:{_digest(folder)}"
        self.n_dimensions = _checked_vectors(self.vectors(_PROBE), folder / MODEL)

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return a vector of length 1 a text, zeros for an empty one; float32, shape (n, d).

        Raises
        ------
        EncoderRefused
            The model failed, or did not answer as the contract says.
        """
        found: list[NDArray[np.float32]] = []
        for start in range(0, len(texts), BATCH):
            found.append(self._batch(list(texts[start : start + BATCH])))
        vectors = np.concatenate(found) if found else np.zeros((0, self.n_dimensions), np.float32)
        vectors[[not text.strip() for text in texts]] = 0
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return (vectors / np.where(lengths > 1e-12, lengths, 1)).astype(np.float32)

    def _batch(self, texts: list[str]) -> NDArray[np.float32]:
        encodings = self._tokenizer.encode_batch([self._options.prefix + text for text in texts])
        mask = np.array([each.attention_mask for each in encodings], np.int64)
        feeds = {
            IDS: np.array([each.ids for each in encodings], np.int64),
            MASK: mask,
            TYPES: np.array([each.type_ids for each in encodings], np.int64),
        }
        try:
            answers = self._session.run({name: feeds[name].astype(dtype) for name, dtype in self._dtypes.items()})
        except ModelUnavailable as error:
            raise EncoderRefused(f"{error}; export it with a free batch and sequence length") from error
        answer = np.asarray(answers[self._output], np.float32)
        if answer.ndim == 3 and answer.shape[:2] == mask.shape:
            if self._options.pooling == "first":
                return answer[:, 0]
            weights = mask[:, :, None].astype(np.float32)
            pooled: NDArray[np.float32] = (answer * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1)
            return pooled
        if answer.ndim == 2 and len(answer) == len(texts):
            return answer
        raise EncoderRefused(
            f"{self._folder / MODEL} answers {mask.shape[0]} texts of {mask.shape[1]} tokens with the shape "
            f"{answer.shape}; expected (batch, d) or (batch, tokens, d). Name the right output in {OPTIONS}"
        )


def _options(folder: Path) -> EncoderOptions:
    if not folder.is_dir():
        raise EncoderRefused(f"{folder} is not a folder; it has to hold {MODEL} and {TOKENIZER}")
    for name in (MODEL, TOKENIZER):
        if not (folder / name).is_file():
            raise EncoderRefused(f"{folder / name} is missing; export the model to ONNX with its tokenizer")
    path = folder / OPTIONS
    if not path.is_file():
        return EncoderOptions()
    try:
        options = msgspec.json.decode(path.read_bytes(), type=EncoderOptions)
    except (OSError, msgspec.MsgspecError) as error:
        raise EncoderRefused(f"{path}: {error}; known are {', '.join(EncoderOptions.__struct_fields__)}") from error
    if not 2 <= options.max_tokens <= 8_192:
        raise EncoderRefused(f"{path}: max_tokens={options.max_tokens} is not between 2 and 8192")
    return options


def _tokenizer(folder: Path, options: EncoderOptions) -> Any:
    try:
        from tokenizers import Tokenizer  # an extra: shops that count words need none
    except ImportError as error:
        raise EncoderRefused(
            "RECSITE_TEXT_ENCODER needs tokenizers: pip install -r requirements-encoders.txt"
        ) from error
    try:
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    except Exception as error:  # the library raises bare exceptions made in Rust
        raise EncoderRefused(f"{folder / TOKENIZER} is no tokenizer that we can read: {error}") from error
    tokenizer.enable_truncation(options.max_tokens)
    padding = tokenizer.padding or {}
    tokenizer.enable_padding(pad_id=padding.get("pad_id", 0), pad_token=padding.get("pad_token", "[PAD]"), length=None)
    return tokenizer


def _session(folder: Path) -> GraphSession:
    try:
        return load_session(folder / MODEL)
    except ModelUnavailable as error:
        raise EncoderRefused(f"{error}; export it again, in one file") from error


def _checked_inputs(session: GraphSession, path: Path) -> dict[str, type[np.signedinteger[Any]]]:
    """Return the dtype of each input."""
    inputs = session.input_types
    unknown = sorted(inputs.keys() - {IDS, MASK, TYPES})
    if unknown or IDS not in inputs:
        raise EncoderRefused(
            f"{path} has the inputs {', '.join(sorted(inputs))}; expected {IDS} and {MASK}, and {TYPES} where need be"
        )
    dtypes: dict[str, type[np.signedinteger[Any]]] = {}
    for name, kind in inputs.items():
        if kind not in ("tensor(int64)", "tensor(int32)"):
            raise EncoderRefused(f"{path}: the input {name} is a {kind}; expected tensor(int64) or tensor(int32)")
        dtypes[name] = np.int64 if kind == "tensor(int64)" else np.int32
    return dtypes


def _output(session: GraphSession, options: EncoderOptions, folder: Path) -> int:
    names = list(session.output_shapes)
    if not options.output:
        return 0
    if options.output not in names:
        raise EncoderRefused(
            f"{folder / OPTIONS}: output={options.output!r} is not among the outputs {', '.join(names)}"
        )
    return names.index(options.output)


def _checked_vectors(vectors: NDArray[np.float32], path: Path) -> int:
    if not np.isfinite(vectors).all() or not vectors.any():
        raise EncoderRefused(f"{path} answers a plain text with zeros or with numbers that are none; export it again")
    if vectors.shape[1] > MAX_DIMENSIONS:
        raise EncoderRefused(f"{path} makes vectors of {vectors.shape[1]} numbers; at most {MAX_DIMENSIONS} are kept")
    return int(vectors.shape[1])


def _digest(folder: Path) -> str:
    hashed = hashlib.sha256()
    for name in (MODEL, TOKENIZER, OPTIONS):
        if (folder / name).is_file():
            with (folder / name).open("rb") as file:
                hashed.update(hashlib.file_digest(file, "sha256").digest())
    return hashed.hexdigest()[:16]
