"""Ids that stand for nobody and nothing: of users, items, orders. Pure."""

from __future__ import annotations

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


def untidy_id(event: Any) -> tuple[str, str, bool] | None:
    """Return the first id of an event's order or items that cannot be taken as it stands; None where all can.

    Events of the shop's own have params of their own, in which nothing is looked for.

    Returns
    -------
    path : str
        Inside the event, such as ``params.items[3].item_id``.
    value : str
    is_placeholder : bool
        It stands for nothing; else it only has space around it.
    """
    params = getattr(event, "params", None)
    if isinstance(params, dict):
        return None
    order = getattr(params, "transaction_id", None)
    if order is not None and ((bare := order.strip()) != order or bare.lower() in PLACEHOLDER_ORDERS):
        return "params.transaction_id", order, bare.lower() in PLACEHOLDER_ORDERS
    for index, item in enumerate(getattr(params, "items", ())):
        item_id = item.item_id
        if (bare := item_id.strip()) != item_id or bare.lower() in PLACEHOLDER_IDS:
            return f"params.items[{index}].item_id", item_id, bare.lower() in PLACEHOLDER_IDS
    return None
