"""What makes items alike: the columns of the catalogue and the vectors that diversity compares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarityColumns:
    """What makes items alike, one entry a row of the catalogue; 0 means that the item has no category, or no brand.

    Attributes
    ----------
    product : int32
        The lowest row of the item's variants; every item is of some product.
    vectors_of : callable, optional
        Returns the vectors of rows, of length 1 or 0; float32, shape (n, d).
    """

    product: NDArray[np.int32]
    category: NDArray[np.int32]
    brand: NDArray[np.int32]
    vectors_of: Callable[[NDArray[np.int32]], NDArray[np.float32]] | None = None
