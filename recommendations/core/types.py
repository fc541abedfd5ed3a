"""What passes between the steps of the pipeline: small frozen dataclasses of arrays, one row of a catalogue an item."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.state.user_features import UserFeatures
from recommendations.core.row_index import last_places, numbers_to

FloatArray = NDArray[np.float32]
RowArray = NDArray[np.int32]
Mask = NDArray[np.bool_]

NO_ROWS: Final[RowArray] = np.empty(0, np.int32)
NO_SCORES: Final[FloatArray] = np.empty(0, np.float32)
NO_ROW: Final = -1
_ROWS: Final = np.int64(2**31 - 1)


class Stage(StrEnum):
    """How good the answer is, best first; each is a step down from the one before."""

    PERSONALISED = "personalised"
    SESSION = "session"
    POPULAR = "popular"
    EDITORIAL = "editorial"
    EMPTY = "empty"


class FallbackReason(StrEnum):
    """Why the answer is not what the placement asks for."""

    NO_HISTORY = "no_history"
    NO_MODEL = "no_model"
    MODEL_FAILED = "model_failed"
    STORE_UNAVAILABLE = "store_unavailable"
    DEADLINE = "deadline"
    NO_CANDIDATES = "no_candidates"
    NOT_IDENTIFIED = "not_identified"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestUser:
    """What is known of the shopper when a list is made; item ids, newest first.

    Attributes
    ----------
    recents : tuple of str
        Items looked at, put into the cart or bought, of this session and before; no item twice.
    session : tuple of str
        The interactions of this browsing session, repeats kept.
    purchases : tuple of str
        Items bought.
    cart : tuple of str
        Items in the cart, as far as events told.
    version : str
        Changes whenever anything above does; part of the key under which lists are cached.
    feature_age_ms : int or None
        Time since the newest event that counts; None for a shopper of whom nothing is known.
    features : UserFeatures, optional
        What all this was taken from, for explanations.
    """

    key: str | None = None
    recents: tuple[str, ...] = ()
    session: tuple[str, ...] = ()
    purchases: tuple[str, ...] = ()
    cart: tuple[str, ...] = ()
    segments: frozenset[str] = frozenset()
    is_returning: bool = False
    version: str = ""
    feature_age_ms: int | None = None
    features: UserFeatures | None = None


NOBODY: Final = RequestUser()


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceList:
    """What one source proposes, best first, no row twice."""

    name: str
    rows: RowArray
    scores: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """Candidates and their scores, in any order; scores are above 0 and comparable within one list only.

    Attributes
    ----------
    rows : int32, shape (n,)
        No row twice.
    scores : float32, shape (n,)
    """

    rows: RowArray
    scores: FloatArray

    def __len__(self) -> int:
        return len(self.rows)

    def keep(self, mask: Mask) -> Ranked:
        """Return the candidates where ``mask`` (one entry a candidate) is true."""
        kept = mask.nonzero()[0]
        return self if len(kept) == len(mask) else Ranked(rows=self.rows.take(kept), scores=self.scores.take(kept))

    def best_first(self) -> Ranked:
        """Return the candidates by falling score; ties go to the lower row.

        One integer says both, since the bits of floats from 0 on rise with them; sorting plain integers takes a third
        of the time of sorting by two keys.
        """
        keys = self.scores.view(np.int32).astype(np.int64) << 32
        keys |= _ROWS - self.rows
        keys.sort()
        keys = keys[::-1]
        rows = (_ROWS - (keys & _ROWS)).astype(np.int32)
        return Ranked(rows=rows, scores=(keys >> 32).astype(np.int32).view(np.float32))


NOTHING_RANKED: Final = Ranked(rows=NO_ROWS, scores=NO_SCORES)


def summed_by_row(rows: RowArray, scores: FloatArray) -> Ranked:
    """Add up the scores of each row, which may stand there more than once; in no order that means something."""
    places = last_places(rows)
    sums = np.bincount(places, weights=scores, minlength=len(rows))
    is_last = places == numbers_to(len(rows))
    return Ranked(rows=rows[is_last], scores=sums[is_last].astype(np.float32))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """One finished list.

    Attributes
    ----------
    rows : tuple of int
        Rows of the catalogue, in the order of the page.
    reasons : tuple of str
        The source that spoke most for each item, or ``pinned``.
    rule_ids : tuple of int
        Rules that had an effect.
    """

    rows: tuple[int, ...]
    reasons: tuple[str, ...]
    stage: Stage
    fallback_reason: FallbackReason | None
    model_version: str
    variant: str
    rule_ids: tuple[int, ...] = ()
