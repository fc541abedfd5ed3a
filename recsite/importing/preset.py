"""A preset: the column names, words and row reader by which the rows of one kind of table become events."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from recsite.importing.base import ImportOptions, InvalidSource, SourceFormat, stable_event_id
from recsite.importing.reading.rows import Header, Row, columns_of
from recsite.importing.reading.times import UNITS, UnreadableTime
from recsite.importing.sorted_source import LeftOut, SortedSource, left_out, less_of_order, record_of
from tracking.contract.events import KNOWN_EVENTS, EventRecord
from tracking.contract.mending.event import Useless
from tracking.contract.mending.names import event_name
from tracking.contract.mending.values import as_id, as_number
from tracking.contract.placeholders import is_placeholder
from tracking.contract.user_key import user_key_of

FIELDS: Final = (
    "user", "session", "item", "time", "event", "order", "price", "currency", "quantity", "title", "brand", "category",
)  # fmt: skip
"""What ``--map`` and a preset name columns for."""

_WHOLE: Final = re.compile(r"(\d+)\.0+")
_SHORTENED: Final = re.compile(r"\d(?:[.,]\d+)?E\+\d{1,2}")
_FUTURE_MS: Final = 86_400_000
_LEVELS: Final = ("item_category", "item_category2", "item_category3", "item_category4", "item_category5")
_WORDS: Final[Mapping[str, str]] = {
    "view": "view_item", "views": "view_item", "click": "view_item", "clicks": "view_item", "pageview": "view_item",
    "cart": "add_to_cart", "carts": "add_to_cart", "addtocart": "add_to_cart", "add_cart": "add_to_cart",
    "remove_from_cart": "remove_from_cart", "like": "add_to_wishlist", "fav": "add_to_wishlist",
    "favorite": "add_to_wishlist", "wishlist": "add_to_wishlist", "order": "purchase", "orders": "purchase",
    "buy": "purchase", "transaction": "purchase", "pv": "view_item",
}  # fmt: skip
"""Words that logs use for events, beside the contract's own."""

Values = dict[str, Any]
Expand = Callable[[Values], Iterator[Values]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """The declaration of one kind of table.

    Parameters
    ----------
    name, summary : str
        As in ``--format`` and its help.
    tells : tuple of str
        Columns, with spaces between them, that together tell this kind from all others; one text for each version.
    columns : mapping of str to str
        One of ``FIELDS`` → its column, or several with ``|`` between them, of which the first that is there counts.
        Names are compared without case.
    words : mapping of str to str
        The table's word for an event → ours; empty for a word that becomes nothing.
    default : str
        The event of a row that names none.
    header_of : callable
        The columns of a table without a header, from its first line.
    expand : callable
        The rows of a row, for what is nested; as a table has them, with columns of ``columns``.
    """

    name: str
    summary: str
    tells: tuple[str, ...]
    columns: Mapping[str, str]
    words: Mapping[str, str] = field(default_factory=dict)
    default: str = "view_item"
    header_of: Callable[[list[str]], Header | None] = lambda cells: None
    expand: Expand | None = None

    def recognises(self, head: bytes) -> bool:
        """Return whether a file that begins with these bytes is such a table."""
        columns = columns_of(head)
        named = {name.casefold() for name in (self.header_of(list(columns)) or columns)}
        return any(set(version.casefold().split()) <= named for version in self.tells)


def preset_format(preset: Preset) -> SourceFormat:
    """Return the importer that a preset declares."""
    return SourceFormat(
        name=preset.name,
        summary=preset.summary,
        open=lambda path, options: PresetSource(preset, path, options),
        recognises=preset.recognises,
    )


class PresetSource(SortedSource):
    """Tables of one kind; ``--map`` and ``--event`` go before what the preset says."""

    def __init__(self, preset: Preset, path: Path, options: ImportOptions) -> None:
        super().__init__(path, options)
        mapping = {**preset.columns, **options.mapping}
        wrong = [name for name in options.mapping if name not in FIELDS]
        if wrong:
            raise InvalidSource(f"--map {wrong[0]}=… is no field; there are: {', '.join(FIELDS)}")
        mapping["time"], self._time_unit = split_unit(mapping.get("time", ""))
        missing = [name for name in ("item", "time") if not mapping.get(name)]
        if not mapping.get("user") and not mapping.get("session"):
            missing.append("user")
        if missing:
            raise InvalidSource(f"no column is named for {missing[0]}; give --map {missing[0]}=COLUMN")
        unknown = [name for name in options.words.values() if name not in KNOWN_EVENTS]
        if unknown:
            raise InvalidSource(f"--event …={unknown[0]} is no event; there are: {', '.join(KNOWN_EVENTS)}")
        self.name = preset.name
        self._preset = replace(preset, columns=mapping)
        self._words = {**_WORDS, **preset.words, **{word.casefold(): name for word, name in options.words.items()}}
        self._latest_ms = int(time.time() * 1_000) + _FUTURE_MS
        self._resolve = lru_cache(maxsize=64)(self._resolved)

    @property
    def joins_orders(self) -> bool:
        """Whether purchases at one moment with one order id are lines of one order: they are, in a table."""
        return True

    def header_of(self, cells: list[str]) -> Header | None:
        """Return the columns of a table without a header."""
        return self._preset.header_of(cells)

    def read_row(self, row: Row) -> Iterator[EventRecord | LeftOut]:
        """Yield the record of each event that a row tells of."""
        rows = [row.values] if self._preset.expand is None else list(self._preset.expand(row.values))
        if not rows:
            yield LeftOut("holds no event", is_loss=False)
        for values in rows:  # what is wrong with one event of a row costs no other
            try:
                yield self._record(values)
            except (UnreadableTime, Useless) as error:
                yield left_out(error)

    def _resolved(self, names: tuple[str, ...]) -> dict[str, str]:
        known = {name.casefold(): name for name in names}
        found: dict[str, str] = {}
        for each, columns in self._preset.columns.items():
            for column in columns.casefold().split("|"):
                if column in known:
                    found.setdefault(each, known[column])
        return found

    def _record(self, values: Values) -> EventRecord | LeftOut:
        told = {each: values[column] for each, column in self._resolve(tuple(values)).items()}
        word = str(told.get("event") or "").strip()
        name = self._words.get(word.casefold(), event_name(word)) if word else self._preset.default
        if not name:
            if name is None:
                return LeftOut(f"event={word[:40]!r} has no meaning here; give it one: --event {word[:40]}=view_item")
            return LeftOut(f"{word[:40]!r} moves nothing", is_loss=False)
        for each in ("item", "user", "session", "order"):
            if isinstance(told.get(each), str) and (shortened := _SHORTENED.fullmatch(told[each].strip())):
                return LeftOut(f"{each}={shortened[0]!r} was shortened by a spreadsheet; export the column as text")
        item_id = self._id(told, "item")
        order = self._id(told, "order") if name in ("purchase", "refund") else None
        is_whole = name == "refund" and order is not None  # without an item, all of the order or a value is given back
        if item_id is None and (told.get("item") not in (None, "") or not is_whole):
            written = str(told.get("item") or "")
            return LeftOut(f"item_id={written[:40]!r} identifies no item" if written else "item is empty")
        user_id, session = self._id(told, "user"), self._id(told, "session", longest=500)
        if user_id is not None and not user_id.isdecimal() and is_placeholder(user_id):
            user_id = None
        if user_id is None and session is None:
            return LeftOut("user is empty, or stands for nobody")
        at_ms = self.notes.time(told.get("time"), self._time_unit)
        if at_ms > self._latest_ms:
            return LeftOut(f"time={str(told['time'])[:40]!r} lies in the future")
        anonymous_id = None if session is None else anonymous_id_of(self.name, session)
        who = user_id or str(anonymous_id)
        raw: Values = {"event": name, "ts": at_ms, "session_id": session if session and len(session) <= 64 else None}
        raw["params"] = _params(name, told, item_id)
        identity: tuple[object, ...] = (self.name, at_ms, who, word or name, item_id)
        if name in ("purchase", "refund"):
            raw["params"]["transaction_id"] = order = order or _order_id(who, at_ms)
            identity = (self.name, at_ms, user_key_of(user_id=user_id, anonymous_id=anonymous_id), "order", order)
        if name == "refund":
            identity = (*identity, word, item_id, told.get("quantity"), told.get("price"))
        raw["event_id"] = stable_event_id(*identity, at_ms=at_ms)
        if name == "purchase" and (less := _less(told)) is not None:
            told_by = record_of(self.site, less_of_order(raw, less), user_id=user_id, anonymous_id=anonymous_id)
            return told_by if told.get("order") else LeftOut("gives something back and names no order")
        event = self.notes.event({key: value for key, value in raw.items() if value is not None})
        return record_of(self.site, event, user_id=user_id, anonymous_id=anonymous_id)

    def _id(self, told: Values, field: str, *, longest: int = 128) -> str | None:
        """Return an id; a text such as ``39910.0``, which spreadsheets and data frames write, is 39910, and counted."""
        found = as_id(told.get(field), longest=longest)[0]
        match = _WHOLE.fullmatch(found) if found is not None and isinstance(told[field], str) else None
        if match is None:
            return found
        self.notes.reread(_ID_FIELDS[field], told[field])
        return match[1]


_ID_FIELDS: Final = {"item": "item_id", "user": "user_id", "session": "session_id", "order": "transaction_id"}


def _less(told: Values) -> Decimal | None:
    """Return what a line takes off its order: one of negative quantity, or of a negative price; None for others."""
    price, quantity = (as_number(_number(told.get(name))) for name in ("price", "quantity"))
    if quantity is not None and quantity < 0:
        return abs(price or Decimal(0)) * quantity
    if price is not None and price < 0:
        return price * (Decimal(1) if quantity is None else quantity)
    return None


def split_unit(column: str) -> tuple[str, str]:
    """Return a column and the unit behind it: ``ts:s`` → ``ts``, ``s``; ``day:%d/%m/%Y`` → ``day``, ``%d/%m/%Y``."""
    name, _, unit = column.partition(":")
    if unit and unit not in UNITS and "%" not in unit:
        raise InvalidSource(f"--map time={column}: {unit!r} is no unit; use one of {', '.join(UNITS)}, or %d/%m/%Y")
    return name, unit


def _params(name: str, told: Values, item_id: str | None) -> Values:
    price = _number(told.get("price"))
    if item_id is None:
        return {each: value for each, value in (("value", price), ("currency", told.get("currency"))) if value}
    item: Values = {"item_id": item_id}
    if price is not None:
        item["price"] = price
    quantity = told.get("quantity")
    if quantity not in (None, ""):
        text = str(quantity)
        item["quantity"] = int(text) if text.isdecimal() and int(text) > 0 else quantity
    for ours, theirs in (("item_name", "title"), ("item_brand", "brand")):
        if told.get(theirs):
            item[ours] = told[theirs]
    item |= zip(_LEVELS, _levels(told.get("category")), strict=False)
    params: Values = {"items": [item]}
    if told.get("currency"):
        params["currency"] = told["currency"]
    if name == "purchase" and price is not None and isinstance(price, float):
        pieces = item.get("quantity", 1)
        if isinstance(pieces, int):
            params["value"] = round(price * pieces, 2)
    return params


def _number(value: Any) -> Any:
    """Return a plain number as such; what needs reading is left to the contract's mending."""
    if value in (None, "", 0, "0") or isinstance(value, float | int):
        return float(value) if value and value != "0" else None
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


def _levels(value: Any) -> list[str]:
    if not value or not isinstance(value, str):
        return [str(value)] if isinstance(value, int) else []
    for separator in (" > ", ">", "|", "."):
        if separator in value:
            return [part.strip() for part in value.split(separator) if part.strip()]
    return [value]


def anonymous_id_of(name: str, session: str) -> str:
    """Return an anonymous id of our form for another system's; the same for the same."""
    return f"{name[:24]}-{hashlib.blake2b(session.encode(), digest_size=12).hexdigest()}"


def _order_id(user: str, at_ms: int) -> str:
    plain = f"{user}-{at_ms}"
    return plain if len(plain) <= 128 else hashlib.blake2b(plain.encode(), digest_size=16).hexdigest()
