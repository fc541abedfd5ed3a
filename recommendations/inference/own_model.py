"""A shop's own ONNX model as a source: the contract that it is held to before it may answer, and one run of it.

Input ``session``: int64, shape (batch, n), numbers of items, newest first, padded with 0; both lengths are free, or n
is fixed. Outputs ``items``: int64 or int32, and ``scores``: float32, both of shape (batch, k): numbers best first, 0
for none, with falling finite scores. The number of an item is the line of its id in ``items.txt``, from 1.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from recommendations.exceptions import ModelUnavailable, OwnModelRefused
from recommendations.inference.runtime import GraphSession, load_session

MODEL: Final = "model.onnx"
ITEMS: Final = "items.txt"
INPUT: Final = "session"
OUTPUTS: Final = ("items", "scores")

MAX_BYTES: Final = 512 << 20
MAX_ITEMS: Final = 5_000_000
MAX_ID: Final = 128
MAX_ANSWERS: Final = 1_000
LONGEST: Final = 50
"""Items of a session that it is told."""

RUNS: Final = 40
_FREE: Final = (str, type(None))


class OwnModel:
    """One file that keeps the contract, as far as running it shows; ``run`` is thread-safe.

    Raises
    ------
    OwnModelRefused
        It does not; the message names the file, what is wrong and the remedy.
    """

    def __init__(self, folder: Path) -> None:
        self.item_ids = read_items(folder / ITEMS)
        path = folder / MODEL
        size = path.stat().st_size if path.is_file() else 0
        if not 0 < size <= MAX_BYTES:
            raise OwnModelRefused(
                f"{path} has {size:,} bytes; a model has 1 to {MAX_BYTES:,}. Quantise it, or keep fewer items"
            )
        try:
            self._session = load_session(path)
        except ModelUnavailable as error:
            raise OwnModelRefused(f"{path} is no graph that ONNX Runtime runs: {error}") from error
        self._path = path
        self._length = _checked_shapes(self._session, path)
        self._order = [list(self._session.output_shapes).index(name) for name in OUTPUTS]
        self._check_answers()

    def run(self, numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return numbers of items and their scores for one session, best first; shapes (k,).

        Parameters
        ----------
        numbers : int64, shape (n,)
            Newest first; beyond ``LONGEST``, or what the graph takes, they are cut.

        Raises
        ------
        OwnModelRefused
            The runtime failed, or the answer does not keep the contract.
        """
        length = self._length or min(max(len(numbers), 1), LONGEST)
        session = np.zeros((1, length), np.int64)
        session[0, : min(len(numbers), length)] = numbers[:length]
        try:
            outputs: list[Any] = self._session.run({INPUT: session})
        except ModelUnavailable as error:
            raise OwnModelRefused(f"{error}; export it with a free batch and session length") from error
        items, scores = (np.asarray(outputs[position]) for position in self._order)
        if items.dtype not in (np.int64, np.int32) or scores.dtype != np.float32:
            raise OwnModelRefused(
                f"{self._path} answers items of {items.dtype} and scores of {scores.dtype}; they are to be int64 (or "
                "int32) and float32; add a Cast"
            )
        if items.ndim != 2 or items.shape[0] != 1 or items.shape != scores.shape or items.shape[1] > MAX_ANSWERS:
            raise OwnModelRefused(
                f"{self._path} answers items of shape {items.shape} and scores of {scores.shape}; both are to be "
                f"(batch, k), k at most {MAX_ANSWERS:,}"
            )
        found = items[0] != 0
        return items[0][found].astype(np.int64), scores[0][found]

    def median_ms(self) -> float:
        """Return how long the longest session takes, in milliseconds; the median of ``RUNS`` runs."""
        numbers = np.arange(1, LONGEST + 1, dtype=np.int64) % len(self.item_ids) + 1
        took = []
        for _ in range(RUNS):
            began = time.perf_counter()
            self.run(numbers)
            took.append(time.perf_counter() - began)
        return float(np.median(took)) * 1e3

    def _check_answers(self) -> None:
        n_items = len(self.item_ids)
        last = np.array([n_items], np.int64)
        for numbers in (
            np.zeros(0, np.int64),
            np.ones(1, np.int64),
            last,
            np.resize(np.arange(1, n_items + 1), LONGEST),
        ):
            items, scores = self.run(numbers)
            again = self.run(numbers)
            asked = f"for the session {numbers.tolist()[:5]}"
            if len(items) and (items.min() < 1 or items.max() > n_items):
                raise OwnModelRefused(
                    f"{self._path} answers item {items.max()} {asked}; {ITEMS} has {n_items:,} lines, and 0 is none"
                )
            if len(np.unique(items)) != len(items):
                raise OwnModelRefused(f"{self._path} answers an item twice {asked}; take the first k of unique ones")
            if not np.isfinite(scores).all() or (np.diff(scores) > 0).any():
                raise OwnModelRefused(
                    f"{self._path} answers scores {asked} that are not finite and falling; sort by them (TopK)"
                )
            if not np.array_equal(items, again[0]) or not np.array_equal(scores, again[1]):
                raise OwnModelRefused(
                    f"{self._path} answers the same session twice and not alike; leave out dropout and random nodes"
                )


def read_items(path: Path) -> tuple[str, ...]:
    """Return the ids of a file, one a line: the first is item 1.

    Raises
    ------
    OwnModelRefused
        There is none, it is no UTF-8, or an id is empty, too long or there twice.
    """
    try:
        ids = tuple(path.read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise OwnModelRefused(f"{path} cannot be read: {error}; write one item id a line, in UTF-8") from error
    if not 0 < len(ids) <= MAX_ITEMS:
        raise OwnModelRefused(f"{path} has {len(ids):,} lines; a model has 1 to {MAX_ITEMS:,} items")
    wrong = next((line for line, each in enumerate(ids, 1) if not 0 < len(each) <= MAX_ID), None)
    if wrong is not None:
        raise OwnModelRefused(f"{path}, line {wrong}: an item id has 1 to {MAX_ID} characters")
    if len(set(ids)) != len(ids):
        raise OwnModelRefused(f"{path} names an item twice; each id stands on one line")
    return ids


def _checked_shapes(session: GraphSession, path: Path) -> int:
    """Return how long sessions have to be; 0 where the graph leaves it free."""
    if list(session.input_shapes) != [INPUT] or session.input_types[INPUT] != "tensor(int64)":
        raise OwnModelRefused(
            f"{path} takes {session.input_types or 'nothing'}; it is to take one input, {INPUT!r}, of int64"
        )
    missing = [name for name in OUTPUTS if name not in session.output_shapes]
    if missing:
        raise OwnModelRefused(
            f"{path} has the outputs {', '.join(session.output_shapes)}; {missing[0]!r} is missing; rename one"
        )
    shape = session.input_shapes[INPUT]
    if len(shape) != 2 or not (isinstance(shape[0], _FREE) or shape[0] == 1):
        raise OwnModelRefused(f"{path} takes {INPUT!r} of shape {shape}; it is to be (batch, n) with a free batch")
    return 0 if isinstance(shape[1], _FREE) else int(shape[1])
