"""Events as pages, servers and tag managers send them, each with what a person would read in it.

Shapes that only a page can have (a data layer pushed in two steps, consent that comes later) are cases of the SDK's
own tests in a browser.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

NOW_MS: Final = 1_795_000_000_000


@dataclass(frozen=True, slots=True)
class Payload:
    """One event; ``right`` are the parameters it must have, None where it must be refused."""

    name: str
    event: str
    params: Mapping[str, Any]
    right: Mapping[str, Any] | None
    becomes: str = ""
    head: Mapping[str, Any] | None = None


def payloads() -> Iterator[Payload]:
    """Yield every case."""
    yield from _items()
    yield from _texts()
    yield from _orders()
    yield from _others()


def _view(name: str, items: Any, right: Any, **more: Any) -> Payload:
    return Payload(name, "view_item", {"items": items, **more}, {"items": right})


def _items() -> Iterator[Payload]:
    right = [{"item_id": "55"}]
    for key in ("id", "sku", "ID", "productId", "product_id", "item_name", "name", "itemId"):
        yield _view(f"an item known by {key}", [{key: "55"}], right)
    yield _view("a number as id", [{"item_id": 55}], right)
    yield _view("a spreadsheet's number as id", [{"item_id": 55.0}], right)
    yield _view("an object for a list of one", {"item_id": "55"}, right)
    yield _view("a list with holes", [None, {"item_id": "55"}, None], right)
    yield _view(
        "an object with numbers as keys", {"0": {"item_id": "55"}, "7": {"item_id": "56"}}, [*right, {"item_id": "56"}]
    )
    yield _view("ids alone", ["55"], right)
    yield _view("space around an id", [{"item_id": " 55\t"}], right)
    for nothing in ("undefined", "NaN", "(not set)", "[object Object]", " "):
        yield _view(f"{nothing!r} beside a good id", [{"item_id": nothing}, {"item_id": "55"}], right)
        yield Payload(f"{nothing!r} alone", "view_item", {"items": [{"item_id": nothing}]}, None)
    yield _view("items as text", '[{"item_id": "55"}]', right)
    yield Payload("items beside the event", "view_item", {"item_id": "55"}, {"items": right})
    yield Payload(
        "no item at all",
        "view_item",
        {"items": [{"item_brand": "Bo"}]},
        None,
    )
    yield _view("an item without id beside a good one", [{"item_brand": "Bo"}, {"item_id": "55"}], right)


def _texts() -> Iterator[Payload]:
    yield _view("a number as name", [{"item_id": "A", "item_name": 2001}], [{"item_id": "A", "item_name": "2001"}])
    yield _view("a number as variant", [{"item_id": "A", "item_variant": 9}], [{"item_id": "A", "item_variant": "9"}])
    yield _view("false as brand", [{"item_id": "A", "item_brand": False}], [{"item_id": "A"}])
    yield _view("null as brand", [{"item_id": "A", "item_brand": None}], [{"item_id": "A"}])
    yield _view("an object as brand", [{"item_id": "A", "item_brand": {"x": 1}}], [{"item_id": "A"}])
    for written in ("24.00", "24,00", "€ 24", 24, "24,00 EUR"):
        yield _view(f"price {written!r}", [{"item_id": "A", "price": written}], [{"item_id": "A", "price": 24.0}])
    yield _view("price 'on request'", [{"item_id": "A", "price": "on request"}], [{"item_id": "A"}])
    yield _view("quantity '3.0000'", [{"item_id": "A", "quantity": "3.0000"}], [{"item_id": "A", "quantity": 3}])


def _order(name: str, right: Any, **params: Any) -> Payload:
    return Payload(
        name, "purchase", {"transaction_id": "T-9", "items": [{"item_id": "A", "price": 5}], **params}, right
    )


def _orders() -> Iterator[Payload]:
    for written, value in {
        "3,115.07": 3115.07,
        "3.115,07": 3115.07,
        "3 115,07 €": 3115.07,
        "$99.5": 99.5,
        "CHF 3'115.07": 3115.07,
        "115.07": 115.07,
        115.07: 115.07,
    }.items():
        yield _order(f"value {written!r}", {"transaction_id": "T-9", "value": value}, value=written)
    for written, code in {"usd": "USD", " EUR ": "EUR", "€": "EUR"}.items():
        yield _order(f"currency {written!r}", {"currency": code}, currency=written, value=5)
    yield _order("a number as transaction id", {"transaction_id": "70012"}, transaction_id=70012)
    yield _order("a number as coupon", {"coupon": "2031"}, coupon=2031)
    yield _order("a word for shipping", {"transaction_id": "T-9"}, shipping="free", tax="1,40")
    for written in ("", None, "  ", "undefined", "null", "[object Object]", "0", 0):
        yield _order(f"transaction id {written!r}", None, transaction_id=written)
    yield _order(
        "half a metre",
        {"value": 15.0, "items": [{"item_id": "A", "price": 15.0}]},
        items=[{"item_id": "A", "price": 30, "quantity": 0.5}],
        value=15,
    )
    yield _order(
        "a gift of quantity 0",
        {"value": 8, "items": [{"item_id": "A", "price": 8.0}]},
        items=[{"item_id": "G", "price": 0, "quantity": 0}, {"item_id": "A", "price": 8, "quantity": "1"}],
        value=8,
    )
    yield _order("more lines than fit", {"value": 450.0}, items=[{"item_id": f"I{n}", "price": 1} for n in range(450)])


def _others() -> Iterator[Payload]:
    enhanced = {
        "ecommerce": {"purchase": {"actionField": {"id": "T-9", "revenue": "12.40"}, "products": [{"id": "A"}]}}
    }
    yield Payload(
        "an order of Universal Analytics",
        "eec.purchase",
        enhanced,
        {"transaction_id": "T-9", "value": 12.4},
        "purchase",
    )
    detail = {"ecommerce": {"detail": {"products": [{"id": "A", "price": "4.20"}]}}}
    yield Payload(
        "an item's page of Universal Analytics",
        "eec.detail",
        detail,
        {"items": [{"item_id": "A", "price": 4.2}]},
        "view_item",
    )
    yield Payload(
        "a search as GA4 names it", "view_search_results", {"search_term": "hats"}, {"search_term": "hats"}, "search"
    )
    yield Payload("a term of 4,000 letters", "search", {"search_term": "x" * 4_000}, {}, "search")
    yield Payload(
        "a name in capitals", "View_Item", {"items": [{"item_id": "A"}]}, {"items": [{"item_id": "A"}]}, "view_item"
    )
    yield Payload("a page with a title of 4,000 letters", "page_view", {"page_title": "x" * 4_000}, {})
    yield Payload("an event of the shop's own", "size_guide_opened", {"size": 41}, {"size": 41})
    for stamp in ("1795000000000", 1_795_000_000_000.0, "2026-11-18T11:06:40Z"):
        yield Payload(f"ts {stamp!r}", "view_item", {"items": [{"item_id": "A"}]}, {}, head={"ts": stamp})
