"""An event as a shop sends it → the event of the contract, and a note of each thing that was done to it. Pure.

The rules follow the *types* of the contract, so that a field added to the contract is mended by the rule
of its type: amounts, ids, texts, whole numbers, currencies, items. A record keeps its identity and its money whatever
its optional fields are: a value without a reading is dropped and said, and the rest counts. What makes an event useless
is a missing id (of the item, of the order), a missing time, or an event that the contract does not know.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Final, Union, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from tracking.contract import events as contract
from tracking.contract.mending.amounts import NOTHING, Separator, UnreadableAmount, read_amount, read_currency
from tracking.contract.mending.currencies import SYMBOLS, UNKNOWN
from tracking.contract.mending.names import (
    ITEM_FIELDS,
    ONLY_OF_ORDERS,
    PARAMS_FIELDS,
    UNIVERSAL_ACTIONS,
    event_name,
    own_name,
    squash,
)
from tracking.contract.mending.values import Done, as_id, as_integer, as_milliseconds, as_number, as_text, shown
from tracking.contract.refusals import explained

MAX_LOOSE_ITEMS: Final = 5_000  # entries that are looked at before a list is cut
_MAX_PRUNED: Final = 20
_HEAD: Final = frozenset({"event", "name", "event_id", "ts", "session_id", "session_number", "page_view_id", "url"})
_WRAPPERS: Final = ("eventModel", "eventData", "data", "detail", "payload", "attributes")
_PIECES: Final = re.compile(
    r"(?:[x\u00d7]\s*)?(?P<number>\d{1,9}(?:[.,]\d{1,6})?)\s*(?:[x\u00d7]|pcs?|pieces?|units?|ea|st(?:k|ck|\u00fcck)?|szt|ks|uds?)?\.?",
    re.IGNORECASE,
)
_PATH: Final = re.compile(r" - at `\$?\.?(?P<path>[^`]*)`$")
_MONEY_KINDS: Final = frozenset(
    {"purchase", "refund", "add_to_cart", "remove_from_cart", "view_cart", "begin_checkout"}
)
_LEVELS: Final = ("item_category", "item_category2", "item_category3", "item_category4", "item_category5")
_REMEDY: Final = {
    Done.RENAMED: "send it under the name that the contract gives it",
    Done.REREAD: "send it in the contract's form",
    Done.RESHAPED: "send it in the contract's shape",
    Done.CUT: "send less",
    Done.COMPUTED: "send the value itself",
    Done.DROPPED: "send a value that the contract takes, or leave the field out",
    Done.ROUNDED: "send as many decimals as the currency has",
}


class Mend(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that was done to an event, as the answer, the debugger and the data-quality page show it.

    Attributes
    ----------
    path : str
        Where, as in ``events[1].params.items[0].price``.
    field : str
        The contract's name of the field, or of the one that it stands in; one of few, since it labels a metric.
    value : str
        What was sent, at most 80 characters.
    done : str
        One of ``Done``.
    became : str or None
        What it became; None for what was dropped.
    remedy : str
        What to send instead.
    """

    path: str
    field: str
    value: str
    done: str
    became: str | None = None
    remedy: str


def _params_type(kind: type[Struct]) -> type[Struct]:
    found = next(info.type for info in msgspec.structs.fields(kind) if info.name == "params")
    assert isinstance(found, type)
    return found


FIELDS: Final = frozenset(
    {"event", "params", "user_id", "anonymous_id", "consent", "ctx", "events", "sent_at"}
    | {info.encode_name for kind in contract.KNOWN_EVENTS.values() for info in msgspec.structs.fields(kind)}
    | {
        info.encode_name
        for kind in contract.KNOWN_EVENTS.values()
        for info in msgspec.structs.fields(_params_type(kind))
    }
    | {info.encode_name for kind in (contract.EventItem, contract.Context) for info in msgspec.structs.fields(kind)}
)
"""Every name that a mend may be counted under."""


class Useless(ValueError):
    """Nothing can be kept of this event; names the field and the reason.

    ``is_missing`` says that the field is not there, or that nothing of it could be kept.
    """

    def __init__(self, field: str, reason: str, *, is_missing: bool = False) -> None:
        super().__init__(f"{field} {reason}")
        self.field = field
        self.reason = reason
        self.is_missing = is_missing


@dataclass(slots=True, kw_only=True)
class Notes:
    """What was done so far; ``prefix`` is where the event stood."""

    prefix: str
    decimal: Separator | None
    currency: str | None = None
    mends: list[Mend] = field(default_factory=list)

    def note(self, path: str, value: object, done: Done, became: object = None, *, remedy: str | None = None) -> None:
        """Note one thing that was done, at ``path`` inside the event."""
        last = became if done is Done.RENAMED and path != "event" else re.sub(r"\[\d+\]$", "", path.rpartition(".")[2])
        within = next((part for part in reversed(path.split(".")) if part in FIELDS), "other")
        self.mends.append(
            Mend(
                path=f"{self.prefix}.{path}" if self.prefix else path,
                field=last if last in FIELDS else within,
                value=shown(value),
                done=str(done),
                became=None if became is None else shown(became),
                remedy=remedy or _REMEDY[done],
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """An event of the contract, and what was done for it."""

    event: contract.Event | contract.CustomEvent
    mends: tuple[Mend, ...]


def mend_event(raw: Mapping[str, Any], *, prefix: str = "", decimal: Separator | None = None) -> Mended:
    """Return the event that ``raw`` means.

    Parameters
    ----------
    raw : mapping
        The event as JSON gave it.
    prefix : str
        Where it stood, for paths: ``events[3]``.
    decimal : "." or ",", optional
        The decimal separator of the sender's amounts, for texts with two readings.

    Raises
    ------
    Useless
        It is no event of the contract in any reading, or lacks what makes it one.
    """
    notes = Notes(prefix=prefix, decimal=decimal)
    name, params = _name_and_params(raw, notes)
    kind = contract.KNOWN_EVENTS.get(name)
    event: dict[str, Any] = {"event": name, **_base_fields(raw, notes)}
    if kind is None:
        event["params"] = params
        return _converted(event, contract.CustomEvent, notes)
    if params or "params" in raw or _requires_params(kind):
        event["params"] = _params(name, params, _params_type(kind), notes)
    return _converted(event, contract.Event, notes)


def _name_and_params(raw: Mapping[str, Any], notes: Notes) -> tuple[str, dict[str, Any]]:
    written = raw.get("event", raw.get("name"))
    if not isinstance(written, str) or not written.strip():
        raise Useless("event", "is missing; name the event, as in view_item")
    params = raw.get("params", raw.get("properties", raw.get("ecommerce")))
    if params is None:  # the fields stand beside the event, as a data layer has them
        params = {name: value for name, value in raw.items() if name not in (*_HEAD, "params")}
        if params:
            notes.note("params", None, Done.RESHAPED, remedy='send the fields of the event in {"params": {…}}')
    if isinstance(params, str):
        with contextlib.suppress(msgspec.DecodeError, UnicodeEncodeError):
            inside = msgspec.json.decode(params.encode())
            notes.note("params", params, Done.RESHAPED, remedy="send an object, not its JSON as a text")
            params = inside
    if isinstance(params, list) and params and isinstance(params[0], Mapping):
        params = {"items": params}
        notes.note("params", "[…]", Done.RESHAPED, remedy='send {"items": […]}')
    if not isinstance(params, Mapping):
        if params is not None:
            notes.note("params", params, Done.DROPPED)
        params = {}
    plain = dict(params)
    name = written if written in contract.KNOWN_EVENTS else None
    inner = plain.pop("ecommerce", None)
    if isinstance(inner, Mapping):
        plain = {**plain, **inner}
        notes.note("params.ecommerce", "{…}", Done.RESHAPED, remedy="send its fields as the parameters themselves")
    if name is not None or event_name(written) is not None:
        plain = _unwrapped(plain, notes)
    for action, meaning in UNIVERSAL_ACTIONS.items():
        part = plain.get(action)
        if (isinstance(part, Mapping) and ("products" in part or "actionField" in part)) or (
            action == "impressions" and isinstance(part, list)
        ):
            notes.note(f"params.{action}", "{…}", Done.RESHAPED, remedy="send GA4's e-commerce events")
            return name or meaning, _universal(plain, part)
    nested = plain.get(written)
    if isinstance(nested, Mapping):
        notes.note(f"params.{written}", "{…}", Done.RESHAPED, remedy="send its fields as the parameters themselves")
        plain = {**plain, **nested}
    if name is None:
        name = event_name(written) or own_name(written) or written
        if name != written:
            notes.note("event", written, Done.RENAMED, name)
    return name, plain


def _unwrapped(params: dict[str, Any], notes: Notes) -> dict[str, Any]:
    """Return parameters that stand one level deeper, as in ``{"data": {"items": […]}}``, as the parameters."""
    for name in _WRAPPERS:
        inner = params.get(name)
        if isinstance(inner, Mapping):
            notes.note(f"params.{name}", "{…}", Done.RESHAPED, remedy="send its fields as the parameters themselves")
            params = {**inner, **{each: value for each, value in params.items() if each != name}}
    return params


def _universal(params: Mapping[str, Any], part: Mapping[str, Any] | list[Any]) -> dict[str, Any]:
    """Return GA4's parameters of an action of Universal Analytics."""
    if isinstance(part, list):
        return {"items": part, **{key: params[key] for key in ("currencyCode", "currency") if key in params}}
    fields = part.get("actionField")
    if isinstance(fields, list) and len(fields) == 1:
        fields = fields[0]
    own = dict(fields) if isinstance(fields, Mapping) else {}
    if "id" in own:
        own["transaction_id"] = own.pop("id")
    products = part.get("products")
    head = {key: params[key] for key in ("currencyCode", "currency") if key in params}
    return {**head, **own, **({"items": products} if products is not None else {})}


def _base_fields(raw: Mapping[str, Any], notes: Notes) -> dict[str, Any]:
    event: dict[str, Any] = {}
    written = raw.get("event_id")
    if isinstance(written, str) and re.fullmatch(r"[A-Za-z0-9_-]{8,64}", written):
        event["event_id"] = written
    else:
        told = as_id(written, longest=500)[0]
        basis = told.encode() if told is not None else _canonical(raw)
        event["event_id"] = "m-" + hashlib.blake2b(basis, digest_size=16).hexdigest()
        notes.note(
            "event_id",
            written,
            Done.COMPUTED,
            event["event_id"],
            remedy="send 8 to 64 letters, digits, - or _, the same whenever the event is sent again",
        )
    if raw.get("ts") is None:
        raise Useless("ts", "is missing; send when it happened, in milliseconds since 1970")
    moment, done = as_milliseconds(raw["ts"])
    if moment is None:
        raise Useless("ts", f"{shown(raw['ts'])} is not a time; send milliseconds since 1970")
    event["ts"] = moment
    if done is not None:
        notes.note("ts", raw["ts"], done, moment, remedy="send milliseconds since 1970")
    for name in ("session_id", "page_view_id"):
        if raw.get(name) is not None:
            text, done = as_id(raw[name], longest=64)
            _keep(event, name, text, raw[name], done, notes, path=name)
    if raw.get("session_number") is not None:
        number, done = as_integer(raw["session_number"])
        _keep(event, "session_number", number, raw["session_number"], done, notes, path="session_number")
    if raw.get("url") is not None:
        text, done = as_text(raw["url"], longest=2000)
        _keep(event, "url", text, raw["url"], done, notes, path="url")
    return event


def _params(name: str, params: Mapping[str, Any], kind: type[Struct], notes: Notes) -> dict[str, Any]:
    known = {info.encode_name: info.type for info in msgspec.structs.fields(kind)}
    aliases = {**PARAMS_FIELDS, **(ONLY_OF_ORDERS if name in ("purchase", "refund") else {})}
    told = _named(params, known, aliases, "params", notes)
    if "items" in known and "items" not in told:
        own = _named(params, {"item_id": str}, {"productid": "item_id", "sku": "item_id"}, "params", None)
        if "item_id" in own:
            told["items"] = [params]
            notes.note("params.items", None, Done.RESHAPED, remedy="send a list of items")
    mended: dict[str, Any] = {}
    if "currency" in known:
        notes.currency = _currency(told, params, mended, notes)
    for each in ("item_list_id", "item_list_name"):
        if each in known and each not in told and (said := _of_all_items(params, each)) is not None:
            told[each] = said
            notes.note(f"params.{each}", None, Done.COMPUTED, said, remedy=f"send the event's {each}")
    for each, annotation in known.items():
        if each in ("items", "currency") or told.get(each) is None:
            continue
        _mend_field(mended, each, told[each], annotation, f"params.{each}", notes, may_flip=name == "refund")
    if "items" in known and told.get("items") is not None:
        items, total, has_lost = _items(name, told["items"], notes)
        mended["items"] = items
        if not items and _shape(known["items"])[1].min_length:
            raise Useless("params.items", _no_item(notes))
        if has_lost and "value" in known and "value" not in mended and name in _MONEY_KINDS and total >= 0:
            mended["value"] = float(total)
            notes.note("params.value", None, Done.COMPUTED, float(total), remedy="send the order's value")
    if notes.currency is not None and "currency" in known and mended.get("currency", UNKNOWN) == UNKNOWN:
        mended["currency"] = notes.currency
        notes.note("params.currency", None, Done.COMPUTED, notes.currency, remedy="send the event's currency")
    if name == "refund" and not mended.get("items") and "value" not in mended:
        _check_whole(told)
    return mended


def _check_whole(told: Mapping[str, Any]) -> None:
    """Raise for a refund of a part, of which nothing can be read: without items and value it would be of everything."""
    for each in ("items", "value"):
        written = told.get(each)
        says_nothing = written in (None, "", [], {}) or (
            isinstance(written, str) and written.strip().lower() in ("", *NOTHING)
        )
        if not says_nothing and written == written:
            raise Useless(
                f"params.{each}",
                f"{shown(written)} gives back nothing that can be read; send items with item_id and quantity, or the "
                "value that is given back, or neither of them for the whole order",
            )


def _no_item(notes: Notes) -> str:
    """Return why a list of items has none that counts."""
    lines = [mend.path.rpartition(".")[2] for mend in notes.mends if mend.became is None and "items[" in mend.path]
    if "item_id" not in lines and {"quantity", "price"} & set(lines):
        return "holds no line of a piece or more without a negative price; send what is given back as a refund"
    return "holds no item that has an id; send items with item_id"


def _of_all_items(params: Mapping[str, Any], name: str) -> str | None:
    """Return what every item says of itself, where all say the same: GA4 lets items carry what is the event's."""
    items = params.get("items")
    entries = [item for item in items[:MAX_LOOSE_ITEMS] if isinstance(item, Mapping)] if isinstance(items, list) else []
    first = entries[0].get(name) if entries else None
    is_said = isinstance(first, str) and first.strip() and all(item.get(name) == first for item in entries)
    return first if is_said else None


def _named(
    fields: Mapping[str, Any], known: Mapping[str, Any], aliases: Mapping[str, str], path: str, notes: Notes | None
) -> dict[str, Any]:
    """Return the fields under the contract's names: its own first, then aliases in the order of the table."""
    told = {name: value for name, value in fields.items() if name in known and value is not None}
    rest = {squash(name): (name, value) for name, value in fields.items() if name not in known and value is not None}
    own = {squash(name): name for name in known}
    for squashed, name in [*own.items(), *aliases.items()]:
        if squashed in rest and name in known and (name not in told or told[name] == ""):
            written, value = rest[squashed]
            told[name] = value
            if notes is not None:
                notes.note(f"{path}.{written}", value, Done.RENAMED, name, remedy=f"send it as {name}")
    return told


def _currency(told: Mapping[str, Any], params: Mapping[str, Any], mended: dict[str, Any], notes: Notes) -> str | None:
    sent = written = told.get("currency")
    if isinstance(written, list | tuple) and len(written) == 1:
        written = written[0]
    if isinstance(written, Mapping):
        written = next((written[name] for name in ("code", "currencyCode", "id") if written.get(name)), written)
    if written is None:
        only = _of_all_items(params, "currency")
        if only is not None and (code := read_currency(only)) is not None:
            mended["currency"] = code
            notes.note("params.currency", None, Done.COMPUTED, code, remedy="send the event's currency")
            return code
        return None
    code = read_currency(written)
    if code is None and _names_a_currency(written):
        # A currency that was named and is none must not be taken for the site's own, as one that is missing is.
        mended["currency"] = UNKNOWN
        remedy = "send a code of ISO 4217, such as EUR; until then its amounts are shown apart"
        notes.note("params.currency", written, Done.REREAD, UNKNOWN, remedy=remedy)
        return None
    _keep(mended, "currency", code, sent, None if code == sent else Done.REREAD, notes, path="params.currency")
    return code


def _names_a_currency(written: object) -> bool:
    """Return whether a text that is no currency was meant as one: letters, and no symbol that several share."""
    if not isinstance(written, str):
        return False
    word = written.strip().lower()
    return any(map(str.isalpha, word)) and word not in NOTHING and word.strip(".") not in SYMBOLS


def _items(name: str, written: object, notes: Notes) -> tuple[list[dict[str, Any]], Decimal, bool]:
    """Return the items, what all lines add up to, and whether a line with money was left out."""
    entries = _entries(written, notes)
    has_money = name in _MONEY_KINDS
    items: list[dict[str, Any]] = []
    total, has_lost = Decimal(0), False
    for index, entry in enumerate(entries):
        path = f"params.items[{index}]"
        if isinstance(entry, Mapping):
            entry = _outer(entry)
        else:
            item_id = as_id(entry)[0] if isinstance(entry, str | int | float) else None
            if item_id is None:
                notes.note(path, entry, Done.DROPPED, remedy='send objects, as in {"item_id": "SKU1"}')
                continue
            notes.note(path, entry, Done.RESHAPED, item_id, remedy='send objects, as in {"item_id": "SKU1"}')
            entry = {"item_id": item_id}
        item, money = _item(entry, path, notes, is_bought=has_money, may_flip=name == "refund")
        total += money
        if item is None:
            has_lost = has_lost or money != 0
        else:
            items.append(item)
    if len(items) > contract.MAX_ITEMS:
        left_out = items[contract.MAX_ITEMS :]
        notes.note(
            "params.items", f"{len(items)} items", Done.CUT, f"{contract.MAX_ITEMS} items", remedy="send several events"
        )
        has_lost = has_lost or any(item.get("price") for item in left_out)
        items = items[: contract.MAX_ITEMS]
    return items, total, has_lost


def _entries(written: object, notes: Notes) -> list[Any]:
    if isinstance(written, str):
        try:
            written = msgspec.json.decode(written.encode())
        except (msgspec.DecodeError, UnicodeEncodeError):
            return [written]
    if isinstance(written, Mapping):
        values = list(written.values())
        is_table = bool(values) and all(isinstance(value, Mapping) or value is None for value in values)
        notes.note("params.items", "{…}", Done.RESHAPED, remedy="send a list of items")
        if not is_table:
            return [written]
        if all(str(name).isdecimal() and int(str(name)[:9]) < MAX_LOOSE_ITEMS for name in written):
            return [value for value in values if value is not None]
        return [_keyed(name, value) for name, value in written.items() if value is not None]
    if isinstance(written, list | tuple):
        entries = [entry for entry in written if entry is not None]
        if len(entries) < len(written):
            notes.note("params.items", f"{len(written) - len(entries)} holes", Done.DROPPED)
        if any(isinstance(entry, list) for entry in entries):
            notes.note("params.items", "[[…]]", Done.RESHAPED, remedy="send a list of items")
            flat = (inner for entry in entries for inner in (entry if isinstance(entry, list) else (entry,)))
            entries = [entry for entry in flat if entry is not None]
        return entries[:MAX_LOOSE_ITEMS]
    return [written]


def _keyed(name: str, entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an item of an object that has one under each id: ``{"SKU1": {"price": 5}}``."""
    return entry if _named(entry, {"item_id": str}, ITEM_FIELDS, "", None) else {"item_id": name, **entry}


def _outer(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a line whose item stands one level deeper, as in ``{"product": {"id": "A"}, "quantity": 2}``, as one."""
    inner = next((entry[name] for name in ("item", "product", "variant") if isinstance(entry.get(name), Mapping)), None)
    return entry if inner is None or "item_id" in entry or "id" in entry else {**inner, **entry}


_ITEM_TYPES: Final[dict[str, Any]] = {
    info.encode_name: info.type for info in msgspec.structs.fields(contract.EventItem)
}


def _item(
    entry: Mapping[str, Any], path: str, notes: Notes, *, is_bought: bool, may_flip: bool
) -> tuple[dict[str, Any] | None, Decimal]:
    """Return the item, or None where the line is none, and the money of the line."""
    told = _named(entry, _ITEM_TYPES, ITEM_FIELDS, path, notes)
    item: dict[str, Any] = {}
    item_id, done = as_id(told.get("item_id"))
    if item_id is None:  # GA4: one of item_id or item_name
        item_id, done = as_id(told.get("item_name"))[0], Done.COMPUTED
    _spread_category(told, path, notes)
    for name, annotation in _ITEM_TYPES.items():
        if name not in ("item_id", "price", "quantity") and told.get(name) is not None:
            _mend_field(item, name, told[name], annotation, f"{path}.{name}", notes)
    price = _money(told.get("price"), f"{path}.price", notes)
    quantity, line_quantity = _quantity(told.get("quantity"), f"{path}.quantity", notes, may_flip=may_flip)
    if may_flip and price is not None and price < 0:
        notes.note(f"{path}.price", told.get("price"), Done.REREAD, float(-price), remedy="send an amount above 0")
        price = -price
    money = (price or Decimal(0)) * line_quantity
    if item_id is None:
        notes.note(
            f"{path}.item_id", told.get("item_id"), Done.DROPPED, remedy="send the item's id; the line is left out"
        )
        return None, money
    if done is not None:
        notes.note(f"{path}.item_id", told.get("item_id"), done, item_id, remedy="send the item's id as a text")
    if is_bought and (line_quantity <= 0 or (price is not None and price < 0)):
        what = "quantity" if line_quantity <= 0 else "price"
        notes.note(
            f"{path}.{what}",
            told.get(what),
            Done.DROPPED,
            remedy="subtract discounts from the value; the line is left out",
        )
        return None, money
    item["item_id"] = item_id
    if quantity is None and line_quantity > 0 and line_quantity != 1 and price is not None:
        price = money  # 1.5 m of cloth are one piece of one and a half times the price
        notes.note(f"{path}.price", told.get("price"), Done.COMPUTED, float(price), remedy="send whole pieces")
    elif quantity is not None:
        item["quantity"] = quantity
    if price is not None and 0 <= price <= Decimal(10) ** 12:
        item["price"] = float(price)
    elif price is not None:
        notes.note(f"{path}.price", told.get("price"), Done.DROPPED)
    return item, money


def _quantity(written: object, path: str, notes: Notes, *, may_flip: bool) -> tuple[int | None, Decimal]:
    """Return the whole quantity, None where there is none, and the quantity that the line's money is counted with."""
    if written is None:
        return None, Decimal(1)
    number = as_number(written)
    if number is None and isinstance(written, str) and (match := _PIECES.fullmatch(written.strip()[:60])):
        number = as_number(match["number"])
    if number is None:
        notes.note(path, written, Done.DROPPED, remedy="send whole pieces")
        return None, Decimal(1)
    if number < 0 and may_flip:
        number = -number
    if number == number.to_integral_value() and 1 <= number <= 100_000:
        if type(written) is not int:
            notes.note(path, written, Done.REREAD, int(number), remedy="send a whole number")
        return int(number), Decimal(int(number))
    if number > 0:
        notes.note(path, written, Done.COMPUTED, 1, remedy="send whole pieces; the price was multiplied instead")
    return None, number


def _spread_category(told: dict[str, Any], path: str, notes: Notes) -> None:
    """Put a list of categories, or a path too long for one field, into the levels that GA4 has for it."""
    written = told.get("item_category")
    if any(level in told for level in _LEVELS[1:]):
        return
    if isinstance(written, list):
        names = [text for entry in written if (text := as_text(entry, longest=100)[0])]
    elif isinstance(written, str) and len(written) > 100 and re.search(r"[>/|]", written):
        names = [name.strip() for name in re.split(r"\s*>\s*|\s+/\s+|\s*\|\s*", written) if name.strip()]
    else:
        return
    notes.note(
        f"{path}.item_category", written, Done.RESHAPED, " > ".join(names[:5]), remedy="send item_category2 to 5"
    )
    told.pop("item_category")
    told.update(zip(_LEVELS, names[:5], strict=False))


def _money(written: object, path: str, notes: Notes) -> Decimal | None:
    try:
        only = written[0] if isinstance(written, list) and len(written) == 1 else written
        amount = read_amount(only, decimal=notes.decimal, currency=notes.currency)
    except UnreadableAmount as error:
        notes.note(path, written, Done.DROPPED, remedy=str(error))
        return None
    if amount is None:
        return None
    if amount.value.adjusted() > 15:
        notes.note(path, written, Done.DROPPED, remedy="send an amount below a million million")
        return None
    if amount.currency is not None and amount.currency != notes.currency:
        if notes.currency is not None:
            notes.note(path, written, Done.DROPPED, remedy=f"send amounts in {notes.currency}, the event's currency")
            return None
        notes.currency = amount.currency
    if not isinstance(written, int | float):
        notes.note(path, written, Done.REREAD, float(amount.value), remedy="send a number")
    return amount.value


def _mend_field(
    into: dict[str, Any], name: str, value: Any, annotation: Any, path: str, notes: Notes, *, may_flip: bool = False
) -> None:
    base, meta = _shape(annotation)
    if base is bool:
        _keep(into, name, value if isinstance(value, bool) else None, value, None, notes, path=path)
    elif base is float:
        amount = _money(value, path, notes)
        if amount is not None and amount < 0 and (may_flip or name == "discount"):
            notes.note(path, value, Done.REREAD, float(-amount), remedy="send an amount above 0")
            amount = -amount
        if amount is not None and not 0 <= amount <= Decimal(10) ** 12:
            notes.note(path, value, Done.DROPPED)
            amount = None
        if amount is not None:
            into[name] = float(amount)
    elif base is int:
        number, done = as_integer(value)
        if number is not None and (
            (meta.ge is not None and number < meta.ge) or (meta.le is not None and number > meta.le)
        ):
            number, done = None, Done.DROPPED
        _keep(into, name, number, value, done, notes, path=path)
    elif base is str and meta.min_length == 1 and name.endswith("_id"):
        text, done = as_id(value, longest=meta.max_length or 128)
        _keep(into, name, text, value, done, notes, path=path)
    elif base is str:
        separator = " > " if "category" in name else ", "
        text, done = as_text(value, longest=meta.max_length or 500, joined_by=separator)
        _keep(into, name, text, value, done, notes, path=path)
    elif get_origin(base) is dict or base is dict:
        if isinstance(value, Mapping):
            kept = {
                str(key): each for key, each in value.items() if each is None or isinstance(each, str | int | float)
            }
            for key in value.keys() - kept.keys():
                notes.note(f"{path}.{key}", value[key], Done.DROPPED, remedy="send a text, a number, true or false")
            into[name] = kept
        else:
            notes.note(path, value, Done.DROPPED, remedy="send an object")
    else:
        into[name] = value


def mend_struct(value: Mapping[str, Any], kind: type[Struct], path: str, notes: Notes) -> dict[str, Any]:
    """Return the fields of ``value`` that ``kind`` has, each mended by the rule of its type."""
    mended: dict[str, Any] = {}
    for info in msgspec.structs.fields(kind):
        if value.get(info.encode_name) is not None:
            _mend_field(
                mended, info.encode_name, value[info.encode_name], info.type, f"{path}.{info.encode_name}", notes
            )
    return mended


def _shape(annotation: Any) -> tuple[Any, Meta]:
    """Return the plain type of an annotation, without None, and its bounds."""
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = next(part for part in get_args(annotation) if part is not type(None))
    if get_origin(annotation) is Annotated:
        base, *metas = get_args(annotation)
        return base, next((meta for meta in metas if isinstance(meta, Meta)), Meta())
    return annotation, Meta()


def _keep(
    into: dict[str, Any], name: str, became: Any, value: Any, done: Done | None, notes: Notes, *, path: str
) -> None:
    if became is None:
        if value not in (None, ""):
            notes.note(path, value, Done.DROPPED)
        return
    into[name] = became
    if done is not None:
        notes.note(path, value, done, became)


def _converted(event: dict[str, Any], kind: Any, notes: Notes) -> Mended:
    """Return the struct; an optional value that the contract still refuses is dropped, one after the other."""
    for _ in range(_MAX_PRUNED):
        try:
            return Mended(event=msgspec.convert(event, kind), mends=tuple(notes.mends))
        except msgspec.ValidationError as error:
            found = _PATH.search(str(error))
            path, is_missing = found["path"] if found else "", "missing required field" in str(error)
            if is_missing or not path or not _drop(event, path, notes):
                refusal = explained(error, kind, event)
                raise Useless(refusal.path or "event", refusal.reason, is_missing=is_missing) from error
    raise Useless("params", "holds too many values that the contract does not take")


def _drop(event: dict[str, Any], path: str, notes: Notes) -> bool:
    """Take the value at ``path`` out; return whether there was one that may go."""
    steps = re.findall(r"\w+", path)
    holder: Any = event
    for step in steps[:-1]:
        try:
            holder = holder[int(step)] if isinstance(holder, list) else holder[step]
        except (KeyError, IndexError, ValueError, TypeError):
            return False
    if (
        not steps
        or not isinstance(holder, dict)
        or steps[-1] not in holder
        or steps[-1] in ("event", "event_id", "ts", "params")
    ):
        return False
    notes.note(path, holder.pop(steps[-1]), Done.DROPPED)
    return True


def _requires_params(kind: type[Struct]) -> bool:
    return next(info.required for info in msgspec.structs.fields(kind) if info.name == "params")


def _canonical(raw: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode({str(key): raw[key] for key in sorted(raw, key=str)}, order="sorted")
