"""The one-line rule: what the session has seen, newest first, and then a list of what it has not."""

from __future__ import annotations

import numpy as np

from recommendations.ranking.histories import SessionHistories
from recommendations.ranking.rrf import IndexArray
from recommendations.training.fit.batch import score_recents


def seen_first(histories: SessionHistories, lists: IndexArray, *, k: int = 20) -> IndexArray:
    """Return the distinct items of each history, newest first, then its list without them; int32, shape (n, k).

    Parameters
    ----------
    lists : int32, shape (n, any)
        Best first, 0 pads.
    """
    both = np.concatenate([score_recents(histories, k=k).items, lists], axis=1)
    width = both.shape[1]
    columns = np.arange(width)
    keys = np.where(both > 0, both, -1 - columns)  # padding is equal to nothing
    order = np.argsort(keys, axis=1, kind="stable")
    in_order = np.take_along_axis(keys, order, axis=1)
    repeats = np.zeros(both.shape, bool)
    repeats[:, 1:] = in_order[:, 1:] == in_order[:, :-1]
    is_repeat = np.zeros(both.shape, bool)
    np.put_along_axis(is_repeat, order, repeats, axis=1)
    kept = np.argsort((both == 0) | is_repeat, axis=1, kind="stable")[:, :k]
    return np.where(
        np.take_along_axis((both == 0) | is_repeat, kept, axis=1), 0, np.take_along_axis(both, kept, axis=1)
    ).astype(np.int32)
