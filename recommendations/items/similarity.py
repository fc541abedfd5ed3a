"""What makes items alike: the columns of the catalogue that diversity compares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarityColumns:
    """What makes items alike, one entry a row of the catalogue; 0 means that the item has none."""

    group: NDArray[np.int32]
    category: NDArray[np.int32]
    brand: NDArray[np.int32]
