"""What is known of a site's items by their texts and pictures: vectors, and who is like whom. Pure arrays.

Likeness is between *units*: whole products, so that thirty sizes of a shoe are not thirty neighbours of each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS: Final = 64
"""Similar units that are kept of each; the table of a million takes 384 MB on disk, of which pages that are asked for
are in memory, once for all processes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentTable:
    """What is known of the items of a site by their texts and pictures; arrays may be memory maps.

    Attributes
    ----------
    version : str
        Sorts by the time at which the table was made.
    encoder : str
        What made the vectors; those of different encoders are not comparable.
    load_ids : callable
        Returns the item ids by position. They are read where a catalogue is joined and not held: of a million items
        they would take 80 MB a process.
    unit_of_item : int32, shape (n_items,)
    vectors : float16, shape (n_units, d)
        Of length 1; zeros where nothing is known.
    neighbours : int32, shape (n_units, NEIGHBOURS)
        Units, the most alike first; -1 behind the last one.
    similarity : float16, shape (n_units, NEIGHBOURS)
        Cosine; 0 behind the last one.
    """

    version: str
    encoder: str
    load_ids: Callable[[], tuple[str, ...]]
    unit_of_item: NDArray[np.int32]
    vectors: NDArray[np.float16]
    neighbours: NDArray[np.int32]
    similarity: NDArray[np.float16]
