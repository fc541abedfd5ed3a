"""Past events as public data sets and other systems write them, each with the events that a person would read in it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

Seen = tuple[str, str, int]  # event, item, milliseconds since 1970


@dataclass(frozen=True, slots=True)
class Log:
    """Files of one import, and what is right: the events in it, in any order."""

    name: str
    files: Mapping[str, bytes]
    right: Sequence[Seen]
    options: Mapping[str, object]
    people: int = 0
    is_refused: bool = False


def _log(
    name: str, files: Mapping[str, str | bytes], right: Sequence[Seen], *, people: int = 0, **options: object
) -> Log:
    written = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
    return Log(name, written, right, options, people)


def _jsonl(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


DAY: Final = 1_600_000_000_000  # 13 September 2020, 12:26:40 UTC


def logs() -> Iterator[Log]:
    """Yield every case."""
    rows = [
        (DAY + 9_000, 7, "transaction", 50, "900"), (DAY, 7, "view", 50, ""), (DAY + 5_000, 8, "view", 51, ""),
        (DAY + 7_000, 7, "addtocart", 50, ""),
    ]  # fmt: skip
    right: list[Seen] = [
        ("view_item", "50", DAY), ("view_item", "51", DAY + 5_000), ("add_to_cart", "50", DAY + 7_000),
        ("purchase", "50", DAY + 9_000),
    ]  # fmt: skip
    for unit, scale in (("milliseconds", 1), ("seconds", 1_000)):
        table = "timestamp,visitorid,event,itemid,transactionid\n" + "".join(
            f"{at // scale},{who},{event},{item},{order}\n" for at, who, event, item, order in rows
        )
        yield _log(f"RetailRocket in {unit}, unsorted", {"events.csv": table}, right, people=2)
    packed = gzip.compress(table.encode())
    yield _log("RetailRocket, gzip", {"events.csv.gz": packed}, right, people=2)
    otto = _jsonl(
        {"session": 4, "events": [{"aid": 9, "ts": DAY, "type": "clicks"}, {"aid": 9, "ts": DAY + 1, "type": "carts"}]},
        {"session": 5, "events": [{"aid": 8, "ts": DAY + 2, "type": "orders"}]},
    )
    yield _log(
        "OTTO", {"test.jsonl": otto},
        [("view_item", "9", DAY), ("add_to_cart", "9", DAY + 1), ("purchase", "8", DAY + 2)], people=2,
    )  # fmt: skip
    yield _log(
        "REES46",
        {"2020-Sep.csv": "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n"
         "2020-09-13 12:26:41 UTC,cart,31,7,a.b,bo,9.5,1,s1\n2020-09-13 12:26:40 UTC,view,31,7,a.b,bo,9.5,1,s1\n"},
        [("view_item", "31", DAY), ("add_to_cart", "31", DAY + 1_000)], people=1,
    )  # fmt: skip
    yield _log(
        "YooChoose",
        {"yoochoose-clicks.dat": "3,2020-09-13T12:26:40.000Z,500,0\n3,2020-09-13T12:26:41.500Z,501,S\n",
         "yoochoose-buys.dat": "3,2020-09-13T12:26:50.000Z,500,120,2\n"},
        [("view_item", "500", DAY), ("view_item", "501", DAY + 1_500), ("purchase", "500", DAY + 10_000)], people=1,
    )  # fmt: skip
    midnight = DAY - 12 * 3_600_000 - 26 * 60_000 - 40_000
    yield _log(
        "Diginetica",
        {"train-item-views.csv": "sessionId;userId;itemId;timeframe;eventdate\n1;NA;70;4000;2020-09-13\n"
                                 "1;NA;71;9000;2020-09-13\n"},
        [("view_item", "70", midnight + 4_000), ("view_item", "71", midnight + 9_000)], people=1,
    )  # fmt: skip
    yield _log(
        "H&M",
        {"transactions_train.csv": "t_dat,customer_id,article_id,price,sales_channel_id\n"
                                   "2020-09-13,ab12,0900001,0.05,2\n2020-09-13,ab12,0900002,0.02,2\n"},
        [("purchase", "0900001", midnight), ("purchase", "0900002", midnight)], people=1,
    )  # fmt: skip
    seconds = DAY // 1_000
    yield _log(
        "MovieLens, CSV",
        {"ratings.csv": f"userId,movieId,rating,timestamp\n1,5,4.0,{seconds}\n2,6,3.5,{seconds + 1}\n"},
        [("view_item", "5", DAY), ("view_item", "6", DAY + 1_000)], people=2,
    )  # fmt: skip
    yield _log(
        "MovieLens, colons", {"ratings.dat": f"1::5::4::{seconds}\n2::6::3::{seconds + 1}\n"},
        [("view_item", "5", DAY), ("view_item", "6", DAY + 1_000)], people=2,
    )  # fmt: skip
    review = {"rating": 4.0, "title": "ok", "text": "t", "asin": "B1", "parent_asin": "B1", "user_id": "R1",
              "timestamp": DAY, "verified_purchase": True}  # fmt: skip
    yield _log("Amazon's reviews", {"reviews.jsonl": _jsonl(review)}, [("purchase", "B1", DAY)], people=1)
    yield _log(
        "Gorse's feedback", {"feedback.csv": "star,1,10,2020-09-13\nread,2,11,2020-09-13\n"},
        [("add_to_wishlist", "10", midnight), ("view_item", "11", midnight)], people=2,
    )  # fmt: skip
    ranking = {"event": "ranking", "id": "r1", "timestamp": str(DAY), "user": "u1", "session": "s1", "fields": [],
               "items": [{"id": "p1"}, {"id": "p2"}]}  # fmt: skip
    click = {"event": "interaction", "id": "i1", "ranking": "r1", "timestamp": str(DAY + 9), "user": "u1",
             "session": "s1", "type": "click", "item": "p1", "fields": []}  # fmt: skip
    yield _log(
        "Metarank", {"events.jsonl": _jsonl(ranking, click)},
        [("view_item_list", "p1", DAY), ("view_item_list", "p2", DAY), ("view_item", "p1", DAY + 9)], people=1,
    )  # fmt: skip
    viewed = {"type": "track", "event": "Product Viewed", "messageId": "m-1", "anonymousId": "507f191e810c19729de860ea",
              "timestamp": "2020-09-13T12:26:40.000Z", "properties": {"product_id": "K1", "price": 9}}  # fmt: skip
    ordered = {**viewed, "event": "Order Completed", "messageId": "m-2", "timestamp": "2020-09-13T12:26:41Z",
               "properties": {"order_id": "O1", "products": [{"product_id": "K1", "price": 9}]}}  # fmt: skip
    yield _log(
        "Segment", {"calls.jsonl": _jsonl(ordered, viewed)},
        [("view_item", "K1", DAY), ("purchase", "K1", DAY + 1_000)], people=1,
    )  # fmt: skip
    yield _log(
        "Amazon Personalize",
        {"interactions.csv": f"USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE\nu1,K1,{seconds},View\n"
                             f"u2,K2,{seconds + 1},Purchase\n"},
        [("view_item", "K1", DAY), ("purchase", "K2", DAY + 1_000)], people=2,
    )  # fmt: skip
    yield from _analytics()
    yield from _mapped(seconds)


def _analytics() -> Iterator[Log]:
    def row(at_ms: int, who: str, item: dict[str, object], **more: object) -> dict[str, object]:
        return {"event_date": "20200913", "event_timestamp": str(at_ms * 1_000), "event_name": "view_item",
                "event_params": [{"key": "ga_session_id", "value": {"int_value": "5"}}], "user_pseudo_id": who,
                "items": [item], **more}  # fmt: skip

    tidy, unset = row(DAY, "1.1", {"item_id": "K1"}), row(DAY + 1, "1.1", {"item_id": "(not set)", "item_name": "Wrap"})
    priced = row(DAY + 2, "2.2", {"item_id": "K2", "price": "9.5", "quantity": "(not set)"})
    right: list[Seen] = [("view_item", "K1", DAY), ("view_item", "Wrap", DAY + 1), ("view_item", "K2", DAY + 2)]
    yield _log("Google Analytics", {"events.jsonl": _jsonl(tidy, unset, priced)}, right, people=2)
    shards = {
        "events_20200913-000000000000.json.gz": gzip.compress(_jsonl(priced).encode()),
        "events_20200913-000000000001.json.gz": gzip.compress(_jsonl(tidy, unset).encode()),
    }
    yield _log("Google Analytics, shards out of order", shards, right, people=2)


def _mapped(seconds: int) -> Iterator[Log]:
    table = f"customer;product;when;what\nc1;K1;{seconds};seen\nc2;K2;{seconds + 1};bought\n"
    mapping = {"map": ["user=customer", "item=product", "time=when", "event=what"],
               "event": ["seen=view_item", "bought=purchase"]}  # fmt: skip
    right: list[Seen] = [("view_item", "K1", DAY), ("purchase", "K2", DAY + 1_000)]
    yield _log("a table of the shop's own", {"export.csv": table}, right, people=2, **mapping)
    yield Log("a table that nobody knows", {"export.csv": table.encode()}, [], {}, is_refused=True)
    rows = _jsonl({"a": 1}, {"a": 2})
    yield Log("JSON lines that are no events", {"rows.jsonl": rows.encode()}, [], {}, is_refused=True)
    yield Log("an empty file", {"events.csv": b""}, [], {}, is_refused=True)
