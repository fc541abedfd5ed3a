"""Ids that stand for nobody and nothing: of users, items, orders. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Any, Final

PLACEHOLDER_USER_IDS: Final = frozenset(
    {
        "", "0", "-1", "anon", "anonymous", "distinct_id", "distinctid", "email", "false", "guest", "id", "n/a", "na",
        "nan", "nil", "none", "not_authenticated", "null", "unknown", "undefined", "user", "user_id", "userid", "true",
        "[object object]", "(not set)", "00000000-0000-0000-0000-000000000000",
    }
)  # fmt: skip
"""What shops send as a user id where they have none; everybody with one of them would be one user.

References
----------
PostHog, "Identifying users" (illegal distinct ids); Mixpanel, "Identifying users" (ids that are never merged).
"""


def is_placeholder(user_id: str) -> bool:
    """Return whether ``user_id`` stands for nobody: ``undefined``, ``null``, ``guest`` and the like, in any case."""
    return user_id.strip().strip("\"'`").strip().lower() in PLACEHOLDER_USER_IDS


PLACEHOLDER_IDS: Final = frozenset(
    {
        "", "-", "(none)", "(not set)", "[object object]", "false", "n/a", "nan", "nil", "none", "null", "true",
        "undefined",
    }
)  # fmt: skip
"""What programs write where they have no id; all items with one of them would be one item. In lower case."""

PLACEHOLDER_ORDERS: Final = PLACEHOLDER_IDS | {"0", "-1", "0.0", "id", "order_id", "orderid", "transaction_id"}
"""The same of orders: all orders with one of them would be one order, and the money of all but one would be lost."""


_UNSEEN: Final = r"[\s\u00ad\u200b-\u200f\u2060\ufeff]+"
_EDGES: Final = re.compile(rf"\A{_UNSEEN}|{_UNSEEN}\Z")


def plain_id(text: str) -> str:
    """Return an id without the space and the unseen characters around it, in Unicode's composed form (NFC).

    Who copies an id from a page brings such characters along, and systems write ``é`` as one character or as two:
    a person sees one id.
    """
    return text.strip() if text.isascii() else unicodedata.normalize("NFC", _EDGES.sub("", text))


def untidy_id(event: Any) -> tuple[str, str, bool] | None:
    """Return the first id of an event's order or items that cannot be taken as it stands; None where all can.

    Events of the shop's own have params of their own, in which nothing is looked for.

    Returns
    -------
    path : str
        Inside the event, such as ``params.items[3].item_id``.
    value : str
    is_placeholder : bool
        It stands for nothing; else it has space around it, or is not in the form of ``plain_id``.
    """
    params: Any = getattr(event, "params", None)
    has_order, has_items = _ids_of(type(params))
    if has_order and (order := params.transaction_id) is not None and not _is_tidy_order(order):
        return "params.transaction_id", order, plain_id(order).lower() in PLACEHOLDER_ORDERS
    if has_items:
        for index, item in enumerate(params.items):
            if not _is_tidy_item(item.item_id):
                nothing = plain_id(item.item_id).lower() in PLACEHOLDER_IDS
                return f"params.items[{index}].item_id", item.item_id, nothing
    return None


def are_ids_tidy(events: Iterable[Any]) -> bool:
    """Return whether ``untidy_id`` is None for each of the events, in a third of its time: every tidy event pays it."""
    known = _tidy_items
    for event in events:
        kind = type(event)
        names = _names_of.get(kind)
        if names is None:  # all events of a kind have params of one type
            names = _names_of[kind] = _ids_of(type(getattr(event, "params", None)))
        has_order, has_items = names
        if has_order and (order := event.params.transaction_id) is not None and not _is_tidy_order(order):
            return False
        if has_items:
            for item in event.params.items:
                item_id = item.item_id
                if item_id not in known and not _is_tidy_item(item_id):
                    return False
    return True


_names_of: dict[type, tuple[bool, bool]] = {}
"""What ``_ids_of`` says of the params of a kind of events."""
_tidy_items: set[str] = set()
"""Ids of items that were found tidy: most items come again soon."""
MAX_REMEMBERED: Final = 65_536


def _ids_of(kind: type) -> tuple[bool, bool]:
    """Return whether params of a type name an order, and items."""
    fields = getattr(kind, "__struct_fields__", ())
    return "transaction_id" in fields, "items" in fields


def _is_tidy_item(item_id: str) -> bool:
    """Return whether an item's id can be taken as it stands; one that can is remembered."""
    if item_id in _tidy_items:
        return True
    if plain_id(item_id) != item_id or item_id.lower() in PLACEHOLDER_IDS:
        return False
    if len(_tidy_items) >= MAX_REMEMBERED:
        _tidy_items.clear()
    _tidy_items.add(item_id)
    return True


def _is_tidy_order(order: str) -> bool:
    return plain_id(order) == order and order.lower() not in PLACEHOLDER_ORDERS
