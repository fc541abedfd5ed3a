"""Pure: how far what users do now is from what a version was trained on, and what to make of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from recommendations.core.words import gettext_noop

FEATURES: Final = ("session_length", "recency", "price", "kind", "category")
"""What users do, as distributions over the bins below; ``scores`` is what the version makes of it."""
SCORES: Final = "scores"

MIN_SESSIONS: Final = 200
"""With fewer on either side a PSI of 0.1 is within what chance does: about (bins - 1) · (1/n + 1/m)."""
WATCH_PSI: Final = 0.1
ACT_PSI: Final = 0.25
"""Where the literature draws the lines: below 0.1 stable, above 0.25 shifted."""
WATCH_UNKNOWN, ACT_UNKNOWN = 0.05, 0.2
WATCH_COVERAGE, ACT_COVERAGE = 0.95, 0.8
ACT_MISSING_COLUMNS = 0.1
WATCH_AGE_SHARE: Final = 0.75

OTHER: Final = "other"
MAX_BINS: Final = 30
_LENGTHS: Final = (1, 2, 3, 4, 6, 9, 14, 24)
_PAUSES_S: Final = ((60, "under 1 min"), (600, "under 10 min"), (3600, "under 1 h"), (math.inf, "longer"))
FIRST_OF_DAY: Final = "first of the day"


class Verdict(StrEnum):
    """What to make of a figure."""

    FINE = "fine"
    WATCH = "watch"
    ACT = "act"
    UNKNOWN = "unknown"


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of a site's health.

    Attributes
    ----------
    value : float or None
        None where there is too little to say.
    limit : float
        Beyond it (for ``coverage``: below it), the verdict is ``act``.
    advice : str
        In English.
    text, values : str, dict
        The advice as it is marked for translation, and what it names; empty where there is none.
    """

    name: str
    value: float | None
    limit: float
    verdict: Verdict
    advice: str
    text: str = ""
    values: dict[str, str] = msgspec.field(default_factory=dict)


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """Counts by bin of each distribution in some span of time; profiles of two spans add up."""

    sessions: int = 0
    events: int = 0
    counts: dict[str, dict[str, int]] = {}

    def __add__(self, other: Profile) -> Profile:
        names = self.counts.keys() | other.counts.keys()
        return Profile(
            sessions=self.sessions + other.sessions,
            events=self.events + other.events,
            counts={
                name: dict(Counter(self.counts.get(name, {})) + Counter(other.counts.get(name, {}))) for name in names
            },
        )


def length_bin(length: int) -> str:
    """Return the bin of a session of so many interactions."""
    low = 1
    for high in _LENGTHS:
        if length <= high:
            return str(high) if low == high else f"{low}-{high}"
        low = high + 1
    return f"{low}+"


def pause_bin(pause_ms: float | None) -> str:
    """Return the bin of the time since the user's interaction before; None where this is the day's first."""
    if pause_ms is None:
        return FIRST_OF_DAY
    return next(name for limit_s, name in _PAUSES_S if pause_ms < limit_s * 1000)


def price_bin(price: float | None) -> str:
    """Return the power of two below a price: bins that suit any currency, and double where cents become euros."""
    if price is None or not math.isfinite(price) or price <= 0:
        return "none"
    return f"{2.0 ** math.floor(math.log2(price)):g}+"


def score_bin(score: float) -> str:
    """Return the tenth that the best score of an answer lies in."""
    return f"{min(max(math.floor(score * 10), 0), 12) / 10:.1f}+"


def psi(expected: Mapping[str, int], actual: Mapping[str, int]) -> float:
    """Return the population stability index of two histograms: Σ (a - e) · ln(a / e) over shares.

    Bins that ``expected`` does not have are counted as one, and half an observation is added to each, so that an
    empty bin counts as rare and not as infinitely surprising.

    References
    ----------
    Yurdakul & Naranjo, "Statistical properties of the population stability index", JRMV 2020.
    """
    bins = sorted(expected)
    known = {name: actual.get(name, 0) for name in bins}
    beyond = sum(actual.values()) - sum(known.values())
    if beyond or OTHER in expected:
        bins = [*(name for name in bins if name != OTHER), OTHER]
        known[OTHER] = beyond + actual.get(OTHER, 0) * (OTHER in expected)
    totals = sum(expected.values()) + 0.5 * len(bins), sum(known.values()) + 0.5 * len(bins)
    total = 0.0
    for name in bins:
        share = (expected.get(name, 0) + 0.5) / totals[0], (known[name] + 0.5) / totals[1]
        total += (share[1] - share[0]) * math.log(share[1] / share[0])
    return total


def with_few_bins(counts: Mapping[str, int], *, most: int = MAX_BINS) -> dict[str, int]:
    """Return the fullest bins, and the others as one."""
    fullest = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    kept = dict(fullest[:most])
    if rest := sum(count for _, count in fullest[most:]):
        kept[OTHER] = kept.get(OTHER, 0) + rest
    return kept


_MOVED: Final = {
    "session_length": gettext_noop(
        "sessions became longer or shorter: look for a change of the pages or of session ids"
    ),
    "recency": gettext_noop(
        "shoppers come back sooner or later than before: look for a campaign, or for resent events"
    ),
    "price": gettext_noop("prices of what is looked at moved: look for a sale, or for a changed currency or unit"),
    "kind": gettext_noop(
        "views, carts and purchases are mixed differently: look for an event that is missing or doubled"
    ),
    "category": gettext_noop("shoppers look at other categories: train again, so that the model follows them"),
    SCORES: gettext_noop("the version is less, or differently, sure of its answers than in training: train again"),
}


def drift_check(name: str, reference: Profile | None, recent: Profile) -> Check:
    """Return how far one distribution has moved."""
    if reference is None:
        return _unknown(
            name, ACT_PSI, gettext_noop("the archive does not reach back to the time the version was trained on")
        )
    expected, actual = reference.counts.get(name, {}), recent.counts.get(name, {})
    if name == SCORES:  # of sessions that were answered, of those that were sampled
        n_sessions = min(sum(expected.values()), sum(actual.values()))
    else:
        n_sessions = min(reference.sessions, recent.sessions)
    if n_sessions < MIN_SESSIONS:
        return _unknown(
            name,
            ACT_PSI,
            gettext_noop("%(n)s sessions are too few; %(least)s are the least"),
            n=str(n_sessions),
            least=str(MIN_SESSIONS),
        )
    if not expected or not actual:
        return _unknown(name, ACT_PSI, gettext_noop("nothing to compare"))
    value = psi(with_few_bins(expected), actual)
    return _above(name, value, watch=WATCH_PSI, act=ACT_PSI, advice=_MOVED[name])


def unknown_items_check(unknown: int, events: int) -> Check:
    """Return the share of recent interactions with items that the version does not know."""
    if not events:
        return _unknown(
            "unknown_items", ACT_UNKNOWN, gettext_noop("no interaction of the last day is in the archive yet")
        )
    advice = gettext_noop("train again, or correct the item ids that the pages send")
    return _above("unknown_items", unknown / events, watch=WATCH_UNKNOWN, act=ACT_UNKNOWN, advice=advice)


def coverage_check(covered: int, recommendable: int) -> Check:
    """Return the share of recommendable items that the version can list."""
    if not recommendable:
        return _unknown(
            "coverage", ACT_COVERAGE, gettext_noop("the catalogue holds no item that may be recommended; load a feed")
        )
    value = covered / recommendable
    verdict = Verdict.FINE if value >= WATCH_COVERAGE else Verdict.WATCH if value >= ACT_COVERAGE else Verdict.ACT
    advice = gettext_noop("train again: newer items come from content and arrivals alone")
    return _check("coverage", value, ACT_COVERAGE, verdict, "" if verdict is Verdict.FINE else advice)


def age_check(age_hours: float, max_age_hours: float) -> Check:
    """Return how old the version is, in hours."""
    advice = gettext_noop("train again, or see why the last training failed or its version was not promoted")
    return _above("age_hours", age_hours, watch=WATCH_AGE_SHARE * max_age_hours, act=max_age_hours, advice=advice)


def columns_check(missing: Sequence[str], n_columns: int) -> Check:
    """Return which share of the live ranker's columns this release does not make any more; it takes 0 for them."""
    named = ", ".join(missing[:5]) + (" …" if len(missing) > 5 else "")
    advice = gettext_noop(
        "the ranker was trained by another release and misses %(named)s; it is trained again by itself"
    )
    share = len(missing) / n_columns if n_columns else 0.0
    return _above("missing_columns", share, watch=0.0, act=ACT_MISSING_COLUMNS, advice=advice, named=named)


def _above(name: str, value: float, *, watch: float, act: float, advice: str, **values: str) -> Check:
    verdict = Verdict.FINE if value <= watch else Verdict.WATCH if value <= act else Verdict.ACT
    return _check(name, value, act, verdict, "" if verdict is Verdict.FINE else advice, **values)


def _unknown(name: str, limit: float, advice: str, **values: str) -> Check:
    return _check(name, None, limit, Verdict.UNKNOWN, advice, **values)


def _check(name: str, value: float | None, limit: float, verdict: Verdict, advice: str, **values: str) -> Check:
    said = advice % values if advice else ""
    return Check(name=name, value=value, limit=limit, verdict=verdict, advice=said, text=advice, values=values)
