"""What passes between the steps of the pipeline: small frozen dataclasses of arrays, one row of a catalogue an item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.state.user_features import UserFeatures
from recommendations.core.row_index import last_positions, numbers_to
from recommendations.core.words import Worded, gettext_noop

FloatArray = NDArray[np.float32]
RowArray = NDArray[np.int32]
Mask = NDArray[np.bool_]

NO_ROWS: Final[RowArray] = np.empty(0, np.int32)
NO_SCORES: Final[FloatArray] = np.empty(0, np.float32)
_ROWS: Final = np.int64(2**31 - 1)


class Stage(Worded):
    """How good the answer is, best first; each is a step down from the one before."""

    PERSONALISED = "personalised", gettext_noop("from the user's own history")
    SESSION = "session", gettext_noop("from what the request says: the page's item, the cart")
    POPULAR = "popular", gettext_noop("popular items")
    EDITORIAL = "editorial", gettext_noop("items that merchandisers named")
    EMPTY = "empty", gettext_noop("no items")


class FallbackReason(Worded):
    """Why the answer is not what the placement asks for."""

    NO_HISTORY = "no_history", gettext_noop("nothing is known of the user yet")
    NO_MODEL = "no_model", gettext_noop("no model version is live")
    MODEL_FAILED = "model_failed", gettext_noop("the model could not answer")
    PIPELINE_ERROR = "pipeline_error", gettext_noop("a step of the pipeline failed")
    STORE_UNAVAILABLE = "store_unavailable", gettext_noop("the feature store did not answer")
    DEADLINE = "deadline", gettext_noop("the time budget was spent")
    NO_CANDIDATES = "no_candidates", gettext_noop("no source found an item that may be shown")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestUser:
    """What is known of the user when a list is made; item ids, newest first.

    Attributes
    ----------
    recents : tuple of str
        Items viewed, added to the cart or purchased, of this session and before; no item twice.
    session : tuple of str
        Views, wishes, carts and purchases of this browsing session, repeats kept: what training counts, too.
    clicked : tuple of str
        Items clicked in lists in this session, whether or not they were viewed then.
    purchases : tuple of str
        Items purchased.
    bought_ms : mapping of item id to epoch milliseconds
        When each of the purchases was made last; one that is not in it counts as made just now.
    cart : tuple of str
        Items in the cart, as far as events told.
    version : str
        Changes whenever anything above does; part of the key under which lists are cached.
    feature_age_ms : int or None
        Time since the newest event that counts; None for a user of whom nothing is known.
    features : UserFeatures, optional
        What all this was taken from, for explanations.
    problem : FallbackReason, optional
        Why less is known than there is to know, as when the feature store is unavailable.
    """

    key: str | None = None
    recents: tuple[str, ...] = ()
    session: tuple[str, ...] = ()
    clicked: tuple[str, ...] = ()
    purchases: tuple[str, ...] = ()
    bought_ms: Mapping[str, int] = field(default_factory=dict)
    cart: tuple[str, ...] = ()
    segments: frozenset[str] = frozenset()
    is_returning: bool = False
    version: str = ""
    feature_age_ms: int | None = None
    features: UserFeatures | None = None
    problem: FallbackReason | None = None


NOBODY: Final = RequestUser()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """Candidates and their scores, higher is better; comparable within one list only.

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
        """Return the candidates by falling score, all of them above 0; ties go to the lower row.

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
    positions = last_positions(rows)
    sums = np.bincount(positions, weights=scores, minlength=len(rows))
    last = (positions == numbers_to(len(rows))).nonzero()[0]
    return Ranked(rows=rows.take(last), scores=sums.take(last).astype(np.float32))
