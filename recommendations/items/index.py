"""One catalogue snapshot prepared for serving: columns for conditions, cached masks, orders, and encoded cards.

Built in the background when the catalogue changes, and swapped; never changed afterwards except for its caches,
which only ever gain entries that any thread would compute alike.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from itertools import chain
from typing import Any, Final, Protocol, TypeVar
from weakref import WeakKeyDictionary

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.catalogue.items import ItemCard
from features.catalogue.snapshot import CatalogueSnapshot
from recommendations.core.deadline import Deadline
from recommendations.core.row_index import is_first
from recommendations.core.types import NO_ROWS, FloatArray, Mask, RowArray
from recommendations.filters import language
from recommendations.filters.language import Condition, normal_form
from recommendations.filters.masks import (
    Column,
    KeyColumn,
    NumberColumn,
    OutOfTime,
    TagColumn,
    TextColumn,
    mask_of,
)
from recommendations.filters.targets import Targets
from recommendations.items.content import ContentIndex
from recommendations.items.similarity import SimilarityColumns

MAX_TARGETS_BYTES: Final = 256 * 1024 * 1024
"""For what rules target: 5,000 rules of a million items hold a few megabytes, of which most is lists of ids."""

MAX_ORDERS: Final = 8_192
"""Orders of conditions that are kept, of at most ``MAX_BEST`` rows each."""

MAX_WARMED: Final = 512
"""Of those, what is made again for a new catalogue before it is served."""

ON_PAGE: Final = "page:"
"""How keys of conditions begin that hold for the page of one item alone; there are as many as pages."""

MAX_MASKS_BYTES: Final = 64 * 1024 * 1024
MAX_REQUEST_MASKS_BYTES: Final = 8 * 1024 * 1024
"""For conditions of requests, apart from those of placements and rules: visitors must not push those out."""

MAX_ORDER: Final = 2_000
"""How far lists without a user go; what is less popular than that is found by other sources."""

MAX_BEST: Final = 200
"""How far a pin by condition looks for items that a list may show."""

LOOKED_AT_FOR_NEW: Final = 500
"""How many of the newest items stand ready by category."""

DAY_MS: Final = 86_400_000.0
AGE: Final = "age_days"
PRIVATE_NAMES: Final = frozenset({"margin"})
"""Known to rules and placements, never to a request: a shop's profit is not for its visitors."""

PUBLIC_NAMES: Final = (
    "item_id", "price", "on_sale", "brand", "category", "group_id", "stock", "age_days", "availability", "tags",
    "in_stock",
)  # fmt: skip

VARIANT_TRAITS: Final = (frozenset({"size"}), frozenset({"colour", "color"}))
"""Attributes that tell a product's variants apart and by which one of them suits a user, by their names."""

T = TypeVar("T")
M_co = TypeVar("M_co", covariant=True)
Window = str
Counts = Mapping[Window, FloatArray]

_ENCODER: Final = msgspec.json.Encoder()


class Maker(Protocol[M_co]):
    """Makes something of a catalogue, for ``ItemIndex.made``."""

    def make(self, item_index: ItemIndex) -> M_co:
        """Return it; it depends on the catalogue alone, and does not hold on to the item index."""
        ...


class ItemIndex:
    """A catalogue as the pipeline sees it.

    Attributes
    ----------
    catalogue : CatalogueSnapshot
    popularity : float32, shape (n_rows,)
        Interactions of late; what popular lists are ordered by.
    log_price : float32, shape (n_rows,)
        Natural logarithm of what a user pays now.
    popular, newest : int32
        Recommendable rows, best first, at most ``MAX_ORDER``; of the variants of a product the best alone, so that
        thirty sizes of a shoe take one place.
    by_category : int32
        Recommendable rows category by category, most popular first, one of each product; ``in_category`` says where
        each category stands.
    brand_by_category, log_price_by_category : int32, float32
        Of those rows, side by side: reading them in sequence is what makes similar items quick to find.
    content : ContentIndex, optional
        Which items are alike by their texts and pictures, once that is known.
    products : Products
        Which rows are variants of one product.
    similarity : SimilarityColumns
        What diversity compares.
    """

    def __init__(
        self,
        catalogue: CatalogueSnapshot,
        *,
        popularity: FloatArray | None = None,
        counts: Counts | None = None,
        content: ContentIndex | None = None,
        now_ms: float | None = None,
    ) -> None:
        n_rows = catalogue.n_rows
        self.catalogue = catalogue
        self.n_rows = n_rows
        self.popularity: FloatArray = np.zeros(n_rows, np.float32) if popularity is None else popularity
        self.counts: Counts = counts or {}
        self.content = content
        self.products = catalogue.products
        self.similarity = SimilarityColumns(
            product=self.products.of_row,
            category=catalogue.category,
            brand=catalogue.brand,
            vectors_of=None if content is None else content.vectors_of,
        )
        # An item without a price is far from every price there is, and near to others without one.
        priced = np.where(catalogue.price > 0, catalogue.price, np.float32(1e-6))
        self.log_price: FloatArray = np.log(priced).astype(np.float32)
        self._now_ms = time.time() * 1000.0 if now_ms is None else now_ms
        self._columns: dict[str, Column | None] = {}
        self._masks: dict[str, Mask] = {}
        self._max_masks = max(8, MAX_MASKS_BYTES // max(n_rows, 1))
        self._conditions: dict[str, Condition] = {}
        self._targets: dict[str, tuple[Targets, Condition]] = {}
        self._targets_bytes = 0
        self._request_masks: OrderedDict[str, Mask] = OrderedDict()
        self._max_request_masks = max(8, MAX_REQUEST_MASKS_BYTES // max(n_rows, 1))
        self._request_lock = threading.Lock()
        self._cards: dict[int, bytes] = {}
        self._made: WeakKeyDictionary[Maker[Any], Any] = WeakKeyDictionary()
        self._popular_in: dict[str, RowArray] = {}
        self._best_in: dict[tuple[str, str], RowArray] = {}
        self._trending: dict[Window, tuple[RowArray, FloatArray]] = {}
        recommendable = np.flatnonzero(catalogue.is_recommendable).astype(np.int32)
        newest_first = recommendable[np.argsort(-catalogue.first_seen_ms[recommendable], kind="stable")]
        # Ties of popularity go to the newer item, so that a site without any event yet shows its news.
        by_popularity = newest_first[np.argsort(-self.popularity[newest_first], kind="stable")]
        self._by_popularity: RowArray = by_popularity
        popular = self.one_of_each(by_popularity)
        self.popular: RowArray = popular[:MAX_ORDER]
        self.newest: RowArray = self.one_of_each(newest_first)[:MAX_ORDER]
        self.by_category, self._category_starts = _by_category(catalogue.category, popular)
        self.brand_by_category: RowArray = catalogue.brand[self.by_category]
        self.log_price_by_category: FloatArray = self.log_price[self.by_category]
        self._newest_positions = _positions_of(catalogue.category[self.newest[:LOOKED_AT_FOR_NEW]])

    # --- rows ---------------------------------------------------------------------------------------------

    def row(self, item_id: str) -> int | None:
        """Return the row of an item, ``None`` when the catalogue does not have it.

        The id of a group, where an item's is expected, is understood as its most popular variant that can be had.
        """
        row = self.catalogue.row(item_id)
        return self.row_of_group(item_id) if row is None else row

    def rows(self, item_ids: Iterable[str]) -> RowArray:
        """Return the rows of the items that the catalogue has, in the order given, each once; see ``row``."""
        return np.fromiter(dict.fromkeys(self.sequence(item_ids)), np.int32)

    def sequence(self, item_ids: Iterable[str]) -> list[int]:
        """Return the rows of the items that the catalogue has, in the order given, repeats kept; see ``row``."""
        item_ids = tuple(item_ids)
        rows = self.catalogue.rows_or_none(item_ids)
        if None in rows:
            of_group = self.row_of_group
            rows = [of_group(item_id) if row is None else row for item_id, row in zip(item_ids, rows, strict=True)]
        return [row for row in rows if row is not None]

    def row_of_group(self, group_id: str) -> int | None:
        """Return the most popular variant of a group that can be had, any one if none can, None if there is none."""
        product = self.catalogue.product_of_group(group_id)
        if product is None:
            return None
        variants = self.products.variants(product)
        can_be_had = variants[self.catalogue.is_recommendable[variants]]
        choice = can_be_had if len(can_be_had) else variants
        return int(choice[self.popularity[choice].argmax()])

    def item_id(self, row: int) -> str:
        """Return the id of the item of a row."""
        return self.catalogue.item_ids[row] or ""

    def one_of_each(self, rows: RowArray) -> RowArray:
        """Return the first row of each product, in the order given."""
        return rows[is_first(self.products.of_row[rows])] if self.products.has_variants else rows

    def in_category(self, category: int) -> slice:
        """Return where recommendable rows of a category (not of those below it) stand in ``by_category``."""
        if not 0 < category < len(self._category_starts) - 1:
            return slice(0, 0)
        return slice(int(self._category_starts[category]), int(self._category_starts[category + 1]))

    def newest_positions(self, category: int) -> RowArray:
        """Return where items of a category stand among the newest, the newest first."""
        return self._newest_positions.get(category, NO_ROWS)

    def trending(self, window: Window) -> tuple[RowArray, FloatArray]:
        """Return recommendable rows by their count in a window, one of each product, and the counts.

        Empty where nothing was counted.
        """
        counts = self.counts.get(window)
        if counts is None:
            return self.popular[:0], self.popularity[:0]
        known = self._trending.get(window)
        if known is None:
            counted = self._by_popularity[counts[self._by_popularity] > 0]
            rows = self.one_of_each(counted[np.argsort(-counts[counted], kind="stable")])[:MAX_ORDER]
            known = self._trending[window] = rows, counts[rows]
        return known

    def popular_within(self, key: str, mask: Mask) -> RowArray:
        """Return the most popular recommendable rows of a mask, one of each product; cached under the mask's key."""
        known = self._popular_in.get(key)
        if known is None:
            known = self.one_of_each(self._by_popularity[mask[self._by_popularity]])[:MAX_ORDER]
            if len(self._popular_in) > 512:
                self._popular_in.clear()
            self._popular_in[key] = known
        return known

    def best_within(self, key: str, mask: Mask | Targets, *, order: str) -> RowArray:
        """Return the first recommendable rows of a mask in an order of ``PinOrder``, one of each product.

        At most ``MAX_BEST``; cached under the mask's key, where there is one. Items without a price come last.
        """
        known = self._best_in.get((key, order))
        if known is not None:
            return known
        rows = self._by_popularity[mask.take(self._by_popularity)]
        if order == "newest":
            rows = rows[np.argsort(-self.catalogue.first_seen_ms[rows], kind="stable")]
        elif order in ("cheapest", "dearest"):
            price = self.catalogue.price[rows]
            rows = rows[np.argsort(price if order == "cheapest" else -price, kind="stable")]  # NaN is sorted last
        found = self.one_of_each(rows)[:MAX_BEST]
        if key:
            if len(self._best_in) >= MAX_ORDERS:
                self._best_in.clear()
            self._best_in[key, order] = found
        return found

    def _rows_named(self, item_id: str) -> int | RowArray | None:
        """Return the row of an item; of the id of a group, which may be that of its parent, too, all its variants."""
        product = self.catalogue.product_of_group(item_id)
        return self.catalogue.row(item_id) if product is None else self.products.variants(product)

    # --- variants -----------------------------------------------------------------------------------------

    @cached_property
    def variant_traits(self) -> tuple[RowArray, ...]:
        """Size and colour of each row, as numbers from 1; 0 for none. Two arrays of int32, shape (n_rows,)."""
        return tuple(_trait(self.catalogue.attributes, names, self.n_rows) for names in VARIANT_TRAITS)

    # --- conditions ---------------------------------------------------------------------------------------

    def mask(self, key: str, condition: Condition) -> Mask:
        """Return which rows match; ``key`` names the condition in the cache."""
        known = self._masks.get(key)
        if known is None:
            known = mask_of(condition, self)
            known.setflags(write=False)
            while len(self._masks) >= self._max_masks:
                dropped = next(iter(self._masks), "")
                self._masks.pop(dropped, None)
                self._conditions.pop(dropped, None)
            self._conditions[key] = condition
            self._masks[key] = known
        return known

    def targets(self, key: str, condition: Condition) -> Targets:
        """Return what a rule's condition matches, asked row by row; ``key`` names the condition in the cache."""
        known = self._targets.get(key)
        if known is not None:
            return known[0]
        made = Targets(condition, self)
        if self._targets_bytes + made.n_bytes > MAX_TARGETS_BYTES:
            self._targets.clear()
            self._targets_bytes = 0
        self._targets[key] = made, condition
        self._targets_bytes += made.n_bytes
        return made

    def made(self, maker: Maker[T]) -> T:
        """Return what ``maker`` makes of the catalogue; kept for as long as the maker, and the catalogue, is there."""
        found: T | None = self._made.get(maker)
        if found is None:
            found = self._made[maker] = maker.make(self)
        return found

    def request_mask(self, condition: Condition, deadline: Deadline | None = None) -> Mask | None:
        """Return which rows match what a request asks for, ``None`` when there is no time left to find out.

        The masks last asked for are kept, one for all conditions of the same normal form.
        """
        key = normal_form(condition)
        with self._request_lock:
            known = self._request_masks.get(key)
            if known is not None:
                self._request_masks.move_to_end(key)
                return known
        try:
            made = mask_of(condition, self, is_late=lambda: deadline is not None and deadline.left_ms <= 0.0)
        except OutOfTime:
            return None
        made.setflags(write=False)
        with self._request_lock:
            self._request_masks[key] = made
            while len(self._request_masks) > self._max_request_masks:
                self._request_masks.popitem(last=False)
        return made

    def has_request_mask(self, condition: Condition) -> bool:
        """Return whether the mask of a request's condition is at hand."""
        return normal_form(condition) in self._request_masks

    def has_columns(self, names: Iterable[str]) -> bool:
        """Return whether a comparison of each of these would find its column made; of what no item has, it does."""
        return all(name in self._columns or self._is_unknown(name) for name in names)

    def make_columns(self, names: Iterable[str]) -> None:
        """Make the columns of these attributes, so that no comparison waits for one: some 30 ms each for 100,000."""
        for name in names:
            column = self.column(name)
            if isinstance(column, TextColumn):
                column.prepared.prepare()

    def warm_from(self, other: ItemIndex) -> None:
        """Compute the masks that another item index holds, and its columns, so that no request has to.

        Where only counts differ, columns, masks and cards are taken over, except those that depend on the time.
        """
        if other.catalogue is self.catalogue:
            self._cards, self._made = other._cards, other._made
            if other.products.has_variants:
                self.variant_traits = other.variant_traits
            self._columns = {name: column for name, column in other._columns.copy().items() if name != AGE}
            for key, condition in list(other._conditions.items()):
                known = other._masks.get(key)
                if known is not None and AGE not in language.names_of(condition):
                    self._conditions[key], self._masks[key] = condition, known
        self.make_columns(list(other._columns))
        for key, condition in list(other._conditions.items()):
            self.mask(key, condition)
        for key, (_, condition) in list(other._targets.items()):
            if not key.startswith(ON_PAGE):
                self.targets(key, condition)
        for maker in list(other._made):
            self.made(maker)
        for key, order in list(other._best_in)[-MAX_WARMED:]:
            if key in self._targets:
                self.best_within(key, self._targets[key][0], order=order)
            elif key in self._masks:
                self.best_within(key, self._masks[key], order=order)

    def warm(self) -> None:
        """Make what the first list would else wait for."""
        self.make_columns(PUBLIC_NAMES)
        _ = self._attribute_names
        if self.products.has_variants:
            _ = self.variant_traits

    def column(self, name: str) -> Column | None:
        """Return an attribute of all items; ``None`` when no item has it."""
        if self._is_unknown(name):
            return None  # not kept: any name may be asked for
        if name not in self._columns:
            self._columns[name] = self._make_column(name)
        return self._columns[name]

    def _is_unknown(self, name: str) -> bool:
        return name.startswith("attributes.") and name.removeprefix("attributes.") not in self._attribute_names

    @cached_property
    def _attribute_names(self) -> frozenset[str]:
        """The names of the shop's own attributes."""
        return frozenset(chain.from_iterable(self.catalogue.attributes.values()))

    def _make_column(self, name: str) -> Column | None:
        catalogue = self.catalogue
        if name.startswith("attributes."):
            return _attribute_column(catalogue.attributes, name.removeprefix("attributes."), self.n_rows)
        makers: dict[str, Callable[[], Column]] = {
            "item_id": lambda: KeyColumn(row_of=self._rows_named),
            "price": lambda: NumberColumn(values=catalogue.price),
            "margin": lambda: NumberColumn(values=catalogue.margin),
            "stock": lambda: NumberColumn(values=np.where(catalogue.stock < 0, np.nan, catalogue.stock)),
            AGE: lambda: NumberColumn(values=(self._now_ms - catalogue.first_seen_ms) / DAY_MS),
            "on_sale": lambda: _flags(catalogue.is_on_sale),
            "in_stock": lambda: _flags(catalogue.is_recommendable),
            "brand": lambda: TextColumn(codes=catalogue.brand, labels=tuple(catalogue.brands.names)),
            "category": lambda: TextColumn(
                codes=catalogue.category, labels=tuple(catalogue.categories.names), is_path=True
            ),
            "group_id": lambda: TextColumn(codes=catalogue.group, labels=tuple(catalogue.groups.names)),
            "availability": lambda: _texts(
                [card.availability if card else "" for card in catalogue.cards], is_code=True
            ),
            "tags": lambda: _tags(catalogue.tags),
        }
        make = makers.get(name)
        return make() if make else None

    # --- cards --------------------------------------------------------------------------------------------

    def card(self, row: int) -> bytes:
        """Return what a reply says of an item, as JSON."""
        known = self._cards.get(row)
        if known is None:
            known = self._cards[row] = _ENCODER.encode(self.catalogue.cards[row])
        return known

    def card_in(self, row: int, *, locale: str | None) -> ItemCard | None:
        """Return the card itself, with the title in ``locale`` where there is one."""
        return self.catalogue.card(self.item_id(row), locale=locale)


def is_known_name(name: str, *, public: bool) -> bool:
    """Return whether conditions may name the attribute."""
    return (
        name in PUBLIC_NAMES
        or (name.startswith("attributes.") and len(name) > len("attributes."))
        or (not public and name in PRIVATE_NAMES)
    )


def _by_category(categories: RowArray, rows: RowArray) -> tuple[RowArray, NDArray[np.int64]]:
    codes = categories[rows]
    order = np.argsort(codes, kind="stable")
    n_codes = int(categories.max(initial=-1)) + 1
    starts = np.searchsorted(codes[order], np.arange(n_codes + 1))
    return rows[order], starts


def _positions_of(codes: RowArray) -> dict[int, RowArray]:
    positions: dict[int, list[int]] = {}
    for position, code in enumerate(codes.tolist()):
        positions.setdefault(code, []).append(position)
    return {code: np.asarray(found, np.int32) for code, found in positions.items()}


def _texts(values: list[str], *, is_code: bool = False) -> TextColumn:
    number_of: dict[str, int] = {}
    codes = np.fromiter((number_of.setdefault(value, len(number_of)) for value in values), np.int32, len(values))
    return TextColumn(codes=codes, labels=tuple(number_of), is_code=is_code)


def _flags(mask: Mask) -> TextColumn:
    return TextColumn(codes=mask.astype(np.int32), labels=("false", "true"))


def _tags(tags: tuple[frozenset[str], ...]) -> TagColumn:
    rows: dict[str, list[int]] = {}
    for row, words in enumerate(tags):
        for word in words:
            rows.setdefault(word.casefold(), []).append(row)
    return TagColumn(rows={word: np.asarray(found, np.int32) for word, found in rows.items()})


def _attribute_column(attributes: Mapping[int, Mapping[str, Any]], name: str, n_rows: int) -> Column | None:
    """Return numbers where every item that has the attribute gives a number, several texts, or one."""
    found = {row: values[name] for row, values in attributes.items() if values.get(name) is not None}
    if not found:
        return None
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in found.values()):
        numbers = np.full(n_rows, np.nan)
        numbers[list(found)] = list(found.values())
        return NumberColumn(values=numbers)
    if any(isinstance(value, list) for value in found.values()):
        tags: dict[str, list[int]] = {}
        for row, value in found.items():
            for word in value if isinstance(value, list) else [value]:
                tags.setdefault(_word(word).casefold(), []).append(row)
        return TagColumn(rows={word: np.asarray(rows, np.int32) for word, rows in tags.items()})
    texts = [""] * n_rows
    for row, value in found.items():
        texts[row] = _word(value)
    return _texts(texts)


def _trait(attributes: Mapping[int, Mapping[str, Any]], names: frozenset[str], n_rows: int) -> RowArray:
    """Return the number of each row's value of the first attribute that bears one of ``names``, whatever its case."""
    codes = np.zeros(n_rows, np.int32)
    number_of: dict[str, int] = {}
    for row, values in attributes.items():
        for name, value in values.items():
            if value not in (None, "", []) and name.casefold() in names:
                codes[row] = number_of.setdefault(_word(value).casefold(), len(number_of) + 1)
                break
    return codes


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)
