"""What the ranker knows of the session itself: which items were seen when and how often, and the user's habit.

Two writers of the same columns: of thousands of queries for training, of one for a request; a test holds the two to the
same numbers. Whether the next item is one of the session is what a ranker errs on most, hence the habit: who went back
or reloaded before will do so again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recommendations.ranking.columns import CANDIDATE_COLUMNS
from recommendations.ranking.histories import SessionHistories
from recommendations.ranking.rrf import FloatArray, IndexArray

NOT_SEEN_AGE = 99.0
NOT_SEEN = np.array([0.0, NOT_SEEN_AGE, -1.0, NOT_SEEN_AGE, 0.0, 0.0, 0.0], np.float32)
"""``CANDIDATE_COLUMNS`` of what is not in the session."""


def session_columns(
    histories: SessionHistories, pairs: NDArray[np.int64], queries: NDArray[np.int64]
) -> dict[str, FloatArray]:
    """Return ``SESSION_COLUMNS`` of pairs.

    Parameters
    ----------
    histories : one for each query, none empty
    pairs : int64, shape (n,)
        ``query << 32 | item``, rising; the items of the histories are among them.
    queries : int64, shape (n,)
        Of each pair.
    """
    n, owners, items, ages = len(pairs), histories.query_of, histories.items, histories.ages
    rows = np.searchsorted(pairs, (owners << 32) | items)
    newest = rows[histories.offsets[1:] - 1]
    columns = {name: np.full(n, value, np.float32) for name, value in zip(CANDIDATE_COLUMNS, NOT_SEEN, strict=True)}
    columns["times_seen"] = np.bincount(rows, minlength=n).astype(np.float32)
    columns["last_age"][rows] = ages  # newest last, so the least age of a repeated item stays
    columns["first_age"][rows[::-1]] = ages[::-1]

    # The last time of each item, from the newest on, is one newer item for all before it.
    is_last = columns["last_age"][rows] == ages
    until = np.cumsum(is_last)
    columns["newer_items"][rows[is_last]] = (until[histories.offsets[1:] - 1][owners] - until)[is_last]

    later = np.flatnonzero(ages < (histories.lengths - 1)[owners])  # all but the first of each history
    before, after, to = rows[later - 1], rows[later], newest[owners[later]]
    moved = before != after
    columns["reloads"] = np.bincount(after[~moved], minlength=n).astype(np.float32)
    columns["before_newest"] = np.bincount(before[moved & (after == to)], minlength=n).astype(np.float32)
    columns["after_newest"] = np.bincount(after[moved & (before == to)], minlength=n).astype(np.float32)

    lengths = histories.lengths
    steps = np.maximum(lengths - 1, 1)
    reloads = np.bincount(owners[later[~moved]], minlength=len(histories))
    distinct = np.bincount(owners[is_last], minlength=len(histories))
    newest_before = np.full(len(histories), NOT_SEEN_AGE)
    earlier = np.flatnonzero((rows == newest[owners]) & (ages > 0))
    newest_before[owners[earlier]] = ages[earlier]
    habits = {
        "session_length": lengths,
        "distinct_items": distinct,
        "newest_repeats": newest_before == 1,
        "newest_times": columns["times_seen"][newest],
        "newest_before": newest_before,
        "reload_share": reloads / steps,
        "return_share": (lengths - distinct - reloads) / steps,
    }
    columns |= {name: np.asarray(values, np.float32)[queries] for name, values in habits.items()}
    return columns


def one_session(history: IndexArray) -> tuple[FloatArray, IndexArray, FloatArray]:
    """Return what ``session_columns`` says of one query.

    Sessions are short: a loop over their items takes less time than a dozen small arrays.

    Parameters
    ----------
    history : int32, shape (n,)
        At least one item, newest last.

    Returns
    -------
    habits : float32, shape (len(HABIT_COLUMNS),)
    seen : int32, shape (n_seen,)
        The different items of the session, in no certain order.
    columns : float32, shape (n_seen, len(CANDIDATE_COLUMNS))
        ``CANDIDATE_COLUMNS`` of them; ``NOT_SEEN`` holds those of other candidates.
    """
    items: list[int] = history.tolist()
    n, newest = len(items), items[-1]
    last: dict[int, int] = {}  # in the order in which items were seen last
    first: dict[int, int] = {}
    times: dict[int, int] = {}
    reloads: dict[int, int] = {}
    before_newest: dict[int, int] = {}
    after_newest: dict[int, int] = {}
    newest_before, previous = NOT_SEEN_AGE, -1
    for age, item in zip(range(n - 1, -1, -1), items, strict=True):
        if item in last:
            times[item] += 1
            del last[item]
        else:
            times[item] = 1
            first[item] = age
        last[item] = age
        if item == previous:
            reloads[item] = reloads.get(item, 0) + 1
        elif item == newest and previous >= 0:
            before_newest[previous] = before_newest.get(previous, 0) + 1
        elif previous == newest:
            after_newest[item] = after_newest.get(item, 0) + 1
        if item == newest and age:
            newest_before = float(age)
        previous = item
    n_reloads, steps = sum(reloads.values()), max(n - 1, 1)
    columns = [
        (
            times[item],
            age,
            first[item],
            newer,
            reloads.get(item, 0),
            before_newest.get(item, 0),
            after_newest.get(item, 0),
        )
        for newer, (item, age) in enumerate(reversed(last.items()))
    ]
    habits = (
        n,
        len(last),
        newest_before == 1,
        times[newest],
        newest_before,
        n_reloads / steps,
        (n - len(last) - n_reloads) / steps,
    )
    seen = np.fromiter(reversed(last), np.int32, len(last))
    return np.array(habits, np.float32), seen, np.array(columns, np.float32)
