"""Pure: which keys that callers choose a site knows, and how many of the others are told apart.

An item id of an event and the name of a list are whatever a page says. Those that the site knows (its catalogue, its
placements) are counted, all of them. Of the others, each partition tells so many apart in each pane, those with the
most visitors; what is pushed out is added up under ``REST``, so that totals stay right. As long as there is room, an
unknown id is counted as exactly as a known one, and stays where it is when the catalogue learns of it: an item that
arrives in the feed an hour after its first view has all of its views.

References
----------
Einziger, Friedman & Manes, "TinyLFU: A Highly Efficient Cache Admission Policy", ACM Transactions on Storage 2017: what
was pushed out is remembered for a while, so that a newcomer who comes again is told from one who does not.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Final, NamedTuple

REST: Final = ""
"""The name under which those that are not told apart are added up; no item and no list is called so."""
MIN_UNKNOWN_ITEMS: Final = 128
"""Unknown items of one pane and partition that are told apart, in a site with a small catalogue."""
UNKNOWN_SHARE: Final = 16
"""In a large catalogue it is one unknown item for so many known ones: a feed may bring as many new items at a time."""
UNKNOWN_WITHOUT_CATALOGUE: Final = 2_000
"""The same in a site without a catalogue, which knows no item yet and shows none."""
UNKNOWN_LISTS: Final = 64
"""Names of lists that are no placements, of one UTC day and partition."""


class SiteKeys(NamedTuple):
    """What a site knows.

    Attributes
    ----------
    items : container of str
        Ids of its items and of their groups.
    n_items : int
        How many items it has.
    placements : container of str
        Names of its placements.
    margins : mapping of str to float
        Item id → the share of its price that is left after its cost; items whose cost is unknown are left out.
    """

    items: Container[str]
    n_items: int
    placements: Container[str]
    margins: Mapping[str, float] = {}


KeysOfSite = Callable[[str], "SiteKeys | None"]
"""From a site to what it knows; ``None`` where that was not loaded yet: then everything is counted."""


def know_everything(site: str) -> None:
    """Return ``None``: whatever a caller names is counted, as a rebuild of a trusted log does."""


class Bound(NamedTuple):
    """How many fields of a hash of counts are told apart, and which are kept.

    Attributes
    ----------
    most : int
        Fields at most, besides ``REST``.
    ranked_by : str
        Redis key of the hash by whose counts they are ranked, added to before this one: that of the widest pane, in
        which an item with visitors is told from one without even where a narrow pane saw each of them once.
    first_metric : int
        The sum of the counts from here on is the rank; more is better.
    end_metric : int or None
        What comes from here on is no count that ranks.
    """

    most: int
    ranked_by: str
    first_metric: int
    end_metric: int | None = None


def max_unknown_items(n_items: int) -> int:
    """Return how many unknown items a pane of a partition tells apart, in a site with ``n_items`` known ones."""
    return max(MIN_UNKNOWN_ITEMS, n_items // UNKNOWN_SHARE) if n_items else UNKNOWN_WITHOUT_CATALOGUE
