"""What a catalogue has names for, and which of them somebody meant who wrote another: by case, by nearness.

Nearness is the optimal string alignment distance of RapidFuzz: characters added, dropped, changed or swapped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Final
from weakref import WeakKeyDictionary

from rapidfuzz import process
from rapidfuzz.distance import OSA

from recommendations.filters.labels import PATH_SIGN
from recommendations.filters.masks import KeyColumn, NumberColumn, TagColumn, TextColumn
from recommendations.items.index import PRIVATE_NAMES, PUBLIC_NAMES, ItemIndex, is_known_name

NEAR_ENOUGH: Final = 0.6
"""Share of the characters that agree, from which on a known name is offered."""

MAX_COMPARED: Final = 200_000
"""Known names that are compared with one unknown one; some 20 ms."""

ATTRIBUTES: Final = "attributes."

CODES: Final = {
    "availability": ("in_stock", "out_of_stock", "preorder", "backorder"),
    "in_stock": ("true", "false"),
    "on_sale": ("true", "false"),
}
"""Attributes whose values are ours, whether an item has them just now or not."""


class Vocabulary:
    """The names that one state of a catalogue knows; each list is made when it is first asked for."""

    def __init__(self, item_index: ItemIndex) -> None:
        self._item_index = item_index

    # --- items --------------------------------------------------------------------------------------------

    def item(self, text: str) -> str | None:
        """Return the id that somebody meant who wrote ``text``, ``None`` for one that the catalogue does not have.

        The id itself, or the id of a product, comes first; then the one id that differs in case alone; then the whole
        number that a spreadsheet made of it (``39910.0``).
        """
        for spelling in dict.fromkeys((text, _whole(text))):
            if self._item_index.row(spelling) is not None:
                return spelling
            for known in (self._items_by_folded, self._products_by_folded):
                same = known.get(spelling.casefold(), ())
                if len(same) == 1:
                    return same[0]
        return None

    def nearest_item(self, text: str) -> str | None:
        """Return the id that is most like ``text``, ``None`` when none is."""
        return nearest(_whole(text), self._item_ids)

    @cached_property
    def _item_ids(self) -> list[str]:
        return [item_id for item_id in self._item_index.catalogue.item_ids if item_id]

    @cached_property
    def _items_by_folded(self) -> dict[str, list[str]]:
        return _by_folded(self._item_ids)

    @cached_property
    def _products_by_folded(self) -> dict[str, list[str]]:
        return _by_folded(name for name in self._item_index.catalogue.groups.names if name)

    # --- attributes and their values ----------------------------------------------------------------------

    @cached_property
    def attributes(self) -> tuple[str, ...]:
        """Every name that a condition of a rule may compare."""
        own = {name for values in self._item_index.catalogue.attributes.values() for name in values}
        return (*PUBLIC_NAMES, *sorted(PRIVATE_NAMES), *(f"{ATTRIBUTES}{name}" for name in sorted(own)))

    def has_attribute(self, name: str) -> bool:
        """Return whether conditions may name the attribute and some item may have it."""
        return is_known_name(name, public=False) and (not name.startswith(ATTRIBUTES) or name in self.attributes)

    def nearest_attribute(self, name: str) -> str | None:
        """Return the attribute that somebody meant: the shop's own of that name, else the one spelt most alike."""
        bare = name.removeprefix(ATTRIBUTES)
        own = f"{ATTRIBUTES}{bare}"
        if own in self.attributes:
            return own
        short = {each.removeprefix(ATTRIBUTES): each for each in self.attributes}
        found = nearest(bare, list(short))
        return None if found is None else short[found]

    def unknown_value(self, name: str, text: str) -> bool:
        """Return whether no item has this value; of numbers, and of what no item has at all, any value is known."""
        column = self._item_index.column(name)
        if isinstance(column, KeyColumn):
            return name == "item_id" and self._item_index.catalogue.product_of_group(text) is None and (
                self._item_index.catalogue.row(text) is None
            )  # fmt: skip
        if isinstance(column, NumberColumn) or column is None:
            return False
        fold = _code if name in CODES else _folded
        return fold(text) not in self._spellings(name)

    def spelling(self, name: str, text: str) -> str | None:
        """Return how the catalogue spells a value that it has, whatever its case; ``None`` for one it does not have."""
        return self._spellings(name).get(_folded(text))

    def nearest_value(self, name: str, text: str) -> str | None:
        """Return the value of an attribute that is most like ``text``, as the catalogue spells it."""
        if name == "item_id":
            return self.item(text) or self.nearest_item(text)
        return nearest(text, self.values(name))

    def values(self, name: str) -> Sequence[str]:
        """Return the values that items have of an attribute of texts; of paths each level, too."""
        if name not in self._values:
            self._values[name] = self._find_values(name)
        return self._values[name]

    def _spellings(self, name: str) -> dict[str, str]:
        if name not in self._spelt_by_name:
            fold = _code if name in CODES else _folded
            self._spelt_by_name[name] = {fold(value): value for value in reversed(self.values(name))}
        return self._spelt_by_name[name]

    def _find_values(self, name: str) -> list[str]:
        if name in CODES:
            return list(CODES[name])
        column = self._item_index.column(name)
        if isinstance(column, TagColumn):
            return sorted(column.rows)
        if not isinstance(column, TextColumn):
            return []
        present = {column.labels[code] for code in set(column.codes.tolist())} - {""}
        if column.is_path:
            return list(_levels(sorted(present)))
        return sorted(present)

    @cached_property
    def _values(self) -> dict[str, list[str]]:
        return {}

    @cached_property
    def _spelt_by_name(self) -> dict[str, dict[str, str]]:
        return {}


_vocabularies: Final[WeakKeyDictionary[ItemIndex, Vocabulary]] = WeakKeyDictionary()


def vocabulary_of(item_index: ItemIndex) -> Vocabulary:
    """Return the vocabulary of a state of the catalogue, made once."""
    known = _vocabularies.get(item_index)
    if known is None:
        known = _vocabularies[item_index] = Vocabulary(item_index)
    return known


def nearest(text: str, known: Sequence[str]) -> str | None:
    """Return the name most like ``text`` without regard to case, ``None`` when none is like it."""
    found = process.extractOne(
        text, known[:MAX_COMPARED], scorer=OSA.normalized_similarity, processor=_folded, score_cutoff=NEAR_ENOUGH
    )
    return None if found is None else found[0]


def _by_folded(names: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(name.casefold(), []).append(name)
    return found


def _levels(paths: Iterable[str]) -> dict[str, None]:
    """Return every path, every path above it, and every part of it by itself."""
    levels: dict[str, None] = {}
    for path in paths:
        parts = [part.strip() for part in path.split(PATH_SIGN)]
        for depth in range(1, len(parts) + 1):
            levels.setdefault(f" {PATH_SIGN} ".join(parts[:depth]))
    for level in list(levels):
        levels.setdefault(level.rpartition(f" {PATH_SIGN} ")[2])
    return levels


def _folded(text: str) -> str:
    parts = (part.strip() for part in text.casefold().split(PATH_SIGN))
    return f" {PATH_SIGN} ".join(parts)


def _code(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def _whole(text: str) -> str:
    """Return ``39910`` for ``39910.0`` and ``39910.00``; anything else as it is."""
    number, point, zeros = text.partition(".")
    return number if point and number.isdecimal() and zeros and not zeros.strip("0") else text
