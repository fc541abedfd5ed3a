"""Items of a site that may be one and the same: the same picture, or the same words in their titles."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from features.models import Item
from tracking.models import Site

MOST_GROUPS: Final = 50
SHOWN: Final = 6
"""Items of a group that are shown; the others are counted."""

MOST_READ: Final = 300_000
"""Items that are compared: some 150 bytes of memory each, two seconds in all."""

_WORD: Final = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicates:
    """Items of different products that share a picture or a title.

    Attributes
    ----------
    kind : str
        ``picture`` or ``title``.
    items : tuple of Item
        The first ``SHOWN``, by id.
    n_items : int
    """

    kind: str
    items: tuple[Item, ...]
    n_items: int

    @property
    def ids(self) -> str:
        """Return the ids of the items that are shown, as a filter of the catalogue takes them."""
        return ",".join(item.item_id for item in self.items)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The groups of a site, the largest first.

    Attributes
    ----------
    n_groups : int
        How many there are; ``MOST_GROUPS`` are listed.
    is_whole : bool
        Whether every item was compared.
    """

    groups: tuple[Duplicates, ...]
    n_groups: int
    is_whole: bool


def find_duplicates(site: Site) -> Found:
    """Compare the active items of a site, variants of one product counting as one."""
    rows = list(
        Item.objects.filter(site=site, is_active=True)
        .order_by("item_id")
        .values_list("pk", "item_id", "group_id", "title", "image_url")[: MOST_READ + 1]
    )
    is_whole = len(rows) <= MOST_READ
    read = rows[:MOST_READ]
    pictures = _groups(((pk, group or item_id, url) for pk, item_id, group, _, url in read), str.strip)
    titles = _groups(((pk, group or item_id, title) for pk, item_id, group, title, _ in read), title_key)
    of_pictures = {frozenset(pks) for pks in pictures}
    # What shares a picture and a title is named once.
    found = [("picture", pks) for pks in pictures] + [
        ("title", pks) for pks in titles if frozenset(pks) not in of_pictures
    ]
    found.sort(key=lambda each: -len(each[1]))
    listed = found[:MOST_GROUPS]
    items = Item.objects.in_bulk([pk for _, pks in listed for pk in pks[:SHOWN]])
    groups = tuple(
        Duplicates(kind=kind, items=tuple(items[pk] for pk in pks[:SHOWN] if pk in items), n_items=len(pks))
        for kind, pks in listed
    )
    return Found(groups=groups, n_groups=len(found), is_whole=is_whole)


def title_key(title: str) -> str:
    """Return the words of a title, each once and in order of the alphabet: "Boots, red" is "RED boots"."""
    return " ".join(sorted(set(_WORD.findall(unicodedata.normalize("NFKC", title).casefold()))))


def _groups(entries: Iterable[tuple[int, str, str]], key_of: Callable[[str], str]) -> list[list[int]]:
    """Return the keys of rows that share a key and are of several products; nothing is shared by what is empty."""
    members: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for pk, product, text in entries:
        if key := key_of(text):
            members[hash(key)].append((pk, product))
    return [[pk for pk, _ in group] for group in members.values() if len({product for _, product in group}) > 1]
