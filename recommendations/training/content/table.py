"""From a catalogue to a content table: encode what changed, in batches, and find who is like whom."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from recommendations.core.content_table import NEIGHBOURS, ContentTable
from recommendations.training.content.lexical import LexicalEncoder, fit_lexical
from recommendations.training.content.neighbours import nearest
from recommendations.training.content.text import ItemText, text_digest
from recommendations.training.fitted import FloatArray
from recommendations.training.settings import Progress, no_progress

BATCH: Final = 512
GROWN: Final = 1.25
"""A catalogue that has grown or shrunk by a quarter since its words were counted is counted again."""

LEXICAL: Final = "lexical"
Items = Callable[[], Iterable[ItemText]]
"""Reads the catalogue from its beginning; it is read two or three times and never held."""


class Encoder(Protocol):
    """Makes a vector of what an item says, or shows.

    Attributes
    ----------
    name : str
        Changes with everything that changes vectors, such as the weights of a model.
    """

    @property
    def name(self) -> str:
        """Return what the vectors are made by."""
        ...

    @property
    def n_dimensions(self) -> int:
        """Return the length of a vector."""
        ...

    def encode(self, items: list[ItemText]) -> FloatArray:
        """Return a vector of length 1 an item, zeros where it says nothing; float32, shape (n, n_dimensions)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeTable:
    """A table, and what the next one is made from.

    Attributes
    ----------
    digests : uint64, shape (n_units,)
        Of what was read of each unit.
    lexical : LexicalEncoder, optional
        The fitted encoder, where no model was given.
    fitted_on : int
        Units that it was fitted on.
    encoded : int
        Units that were encoded for this table; the others are as they were.
    """

    table: ContentTable
    digests: NDArray[np.uint64]
    lexical: LexicalEncoder | None = None
    fitted_on: int = 0
    encoded: int = 0


def make_table(
    items: Items,
    *,
    version: str,
    previous: MadeTable | None = None,
    encoder: Encoder | None = None,
    digest_of: Callable[[ItemText], np.uint64] = text_digest,
    progress: Progress = no_progress,
) -> MadeTable:
    """Return the table of a catalogue; what ``previous`` knows already is not encoded again.

    Memory: the vectors, the ids, and one batch of items; the encoder's own.

    Parameters
    ----------
    encoder : Encoder, optional
        Without one, letters and words are counted (``lexical``), on this catalogue.
    digest_of : callable
        What an encoder reads of an item, as 64 bits.
    """
    ids: list[str] = []
    unit_of: list[int] = []
    number_of: dict[str, int] = {}
    digests: list[np.uint64] = []
    for item in items():
        unit = number_of.setdefault(item.unit, len(number_of))
        if unit == len(digests):  # the first item of a product speaks for it
            digests.append(digest_of(item))
        ids.append(item.item_id)
        unit_of.append(unit)
    units = np.asarray(digests, np.uint64)
    made_by, lexical, fitted_on = _encoder(items, encoder, previous, n_units=len(units), progress=progress)
    vectors = np.zeros((len(units), made_by.n_dimensions), np.float16)
    is_known = _take_over(vectors, units, previous, made_by)
    to_do = int(np.count_nonzero(~is_known))
    done = 0
    for numbers, batch in _batches(items, number_of, is_known):
        progress("encode items", done, to_do)
        vectors[numbers] = made_by.encode(batch)
        done += len(batch)
    progress("encode items", to_do, to_do)
    same = previous is not None and not to_do and np.array_equal(previous.digests, units)
    if previous is not None and same and previous.table.encoder == made_by.name:
        neighbours, similarity = previous.table.neighbours, previous.table.similarity
    else:
        neighbours, similarity = nearest(vectors, k=NEIGHBOURS, progress=progress)
    item_ids = tuple(ids)
    table = ContentTable(
        version=version,
        encoder=made_by.name,
        load_ids=lambda: item_ids,
        unit_of_item=np.asarray(unit_of, np.int32),
        vectors=vectors,
        neighbours=neighbours,
        similarity=similarity,
    )
    return MadeTable(table=table, digests=units, lexical=lexical, fitted_on=fitted_on, encoded=to_do)


@dataclass(frozen=True, slots=True)
class _Lexical:
    """The lexical encoder under a name of its fit."""

    fitted: LexicalEncoder
    name: str

    @property
    def n_dimensions(self) -> int:
        return self.fitted.n_dimensions

    def encode(self, items: list[ItemText]) -> FloatArray:
        return self.fitted.encode(items)


def _encoder(
    items: Items, given: Encoder | None, previous: MadeTable | None, *, n_units: int, progress: Progress
) -> tuple[Encoder, LexicalEncoder | None, int]:
    if given is not None:
        return given, None, 0
    if (
        previous is not None
        and previous.lexical is not None
        and previous.fitted_on / GROWN <= n_units <= previous.fitted_on * GROWN
    ):
        return _Lexical(previous.lexical, previous.table.encoder), previous.lexical, previous.fitted_on
    progress("count words", 0, 1)
    fitted = fit_lexical(_first_of_each(items))
    progress("count words", 1, 1)
    name = f"{LEXICAL}:{fitted.n_dimensions}:{int(np.abs(fitted.directions).sum(dtype=np.float64) * 1e6):x}"
    return _Lexical(fitted, name), fitted, n_units


def _first_of_each(items: Items) -> Iterator[ItemText]:
    seen: set[str] = set()
    for item in items():
        if item.unit not in seen:
            seen.add(item.unit)
            yield item


def _take_over(
    vectors: NDArray[np.float16], units: NDArray[np.uint64], previous: MadeTable | None, made_by: Encoder
) -> NDArray[np.bool_]:
    """Write the vectors of units that read as they did, whatever they are called now; return which."""
    if previous is None or previous.table.encoder != made_by.name or not len(previous.digests):
        return np.zeros(len(units), np.bool_)
    order = np.argsort(previous.digests, kind="stable")
    rising = previous.digests[order]
    row = np.minimum(np.searchsorted(rising, units), len(rising) - 1)
    is_known: NDArray[np.bool_] = rising[row] == units
    vectors[is_known] = previous.table.vectors[order[row[is_known]]]
    return is_known


def _batches(
    items: Items, number_of: dict[str, int], is_known: NDArray[np.bool_]
) -> Iterator[tuple[list[int], list[ItemText]]]:
    wanted = is_known.copy()

    def missing() -> Iterator[tuple[int, ItemText]]:
        for item in items():
            number = number_of.get(item.unit)
            if number is not None and not wanted[number]:  # an item that came since the first reading waits
                wanted[number] = True
                yield number, item

    rest = missing()
    while batch := list(islice(rest, BATCH)):
        yield [number for number, _ in batch], [item for _, item in batch]
