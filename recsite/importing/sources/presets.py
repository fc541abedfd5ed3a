"""Logs that are tables: public data sets and other recommenders' own files, one declaration each.

Sessions without a user become anonymous users. A rating counts as a view of the item, whatever the rating says: it
tells that somebody dealt with the item. Prices without a currency are taken as the site's, those of H&M, which are
scaled, are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from recsite.importing.preset import Preset, Values, preset_format
from recsite.importing.reading.rows import Header

_ISO: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_ASIN: Final = re.compile(r"B[0-9A-Z]{9}|\d{9}[\dX]")
_WORD: Final = re.compile(r"[A-Za-z_][\w-]*")


def _dict_rows(value: Any) -> list[Values]:
    """Return the objects of a list; what is none becomes an empty one, so that it is counted."""
    return [each if isinstance(each, dict) else {} for each in value] if isinstance(value, list) else []


def _otto(values: Values) -> Iterator[Values]:
    if "events" not in values:  # as a table, an event a row
        yield values
    for event in _dict_rows(values.get("events")):
        yield {"session": values.get("session"), **event}


def _metarank(values: Values) -> Iterator[Values]:
    head = {name: values.get(name) for name in ("user", "session", "timestamp")}
    if values.get("event") == "ranking":
        for item in _dict_rows(values.get("items")):
            yield {**head, "type": "ranking", "item": item.get("id")}
    elif values.get("event") == "interaction":
        yield {**head, "type": values.get("type"), "item": values.get("item")}
    else:
        yield {**head, "type": f"({values.get('event')})"}


def _yoochoose(cells: list[str]) -> Header | None:
    if len(cells) not in (4, 5) or not _ISO.match(cells[1]):
        return None
    return ("session", "time", "item", *(("click_category",) if len(cells) == 4 else ("price", "bought")))


def _yoochoose_rows(values: Values) -> Iterator[Values]:
    yield {**values, "event": "purchase" if "bought" in values else "view_item"}


def _diginetica(values: Values) -> Iterator[Values]:
    known = {name.casefold().replace("_", ""): value for name, value in values.items()}
    at, frame = known.get("eventdate"), str(known.get("timeframe") or "")
    if isinstance(at, str) and _DAY.fullmatch(at.strip()) and frame.isdecimal():
        at = datetime.fromisoformat(at.strip()).replace(tzinfo=UTC).timestamp() * 1_000 + int(frame)
    user = known.get("userid")
    yield {
        "session": known.get("sessionid"),
        "user": None if user == "NA" else user,
        "item": known.get("itemid"),
        "at": int(at) if isinstance(at, float) else at,
        "event": "purchase" if "ordernumber" in known else "view_item",
        "order": known.get("ordernumber"),
    }


def _movielens(cells: list[str]) -> Header | None:
    is_ratings = len(cells) == 4 and all(cell.replace(".", "", 1).isdecimal() for cell in cells)
    return ("userId", "movieId", "rating", "timestamp") if is_ratings and _is_rating(cells[2]) else None


def _amazon(cells: list[str]) -> Header | None:
    if len(cells) != 4 or not _is_rating(cells[2]) or not cells[3].isdecimal():
        return None
    if _ASIN.fullmatch(cells[0]):
        return ("asin", "user_id", "rating", "timestamp")
    return ("user_id", "asin", "rating", "timestamp") if _ASIN.fullmatch(cells[1]) else None


def _amazon_rows(values: Values) -> Iterator[Values]:
    yield {**values, "event": "purchase" if values.get("verified_purchase") in (True, "True", "true") else "view_item"}


def _is_rating(cell: str) -> bool:
    try:
        return 0 <= float(cell) <= 10
    except ValueError:
        return False


def _gorse(cells: list[str]) -> Header | None:
    is_feedback = len(cells) in (4, 5) and _WORD.fullmatch(cells[0]) and _DAY.match(cells[3])
    return ("feedback_type", "user_id", "item_id", "time_stamp", "comment")[: len(cells)] if is_feedback else None


def _numbered(cells: list[str]) -> Header | None:
    """Return ``1``, ``2`` … where no cell can be the name of a column."""
    is_data = any(cell.strip().replace(".", "", 1).isdecimal() or _DAY.match(cell.strip()) for cell in cells)
    return tuple(map(str, range(1, len(cells) + 1))) if is_data else None


MAPPED: Final = Preset(
    name="mapped",
    summary="any table or JSON lines; --map says which column is what (1, 2 … where there is no header)",
    tells=(),
    columns={},
    header_of=_numbered,
)

PRESETS: Final = (
    Preset(
        name="amazon_reviews",
        summary="Amazon reviews: JSON lines or ratings as CSV; a verified purchase is a purchase, else a view",
        tells=("rating asin user_id timestamp", "rating parent_asin user_id timestamp", "reviewerID asin overall"),
        columns={"user": "user_id|reviewerID", "item": "parent_asin|asin", "time": "timestamp|unixReviewTime",
                 "event": "event"},
        header_of=_amazon,
        expand=_amazon_rows,
    ),
    Preset(
        name="diginetica",
        summary="CIKM Cup 2016 (Diginetica): train-item-views.csv and train-purchases.csv",
        tells=("sessionId itemId timeframe eventdate", "session_id item_id timeframe eventdate",
               "sessionId itemId eventdate ordernumber", "session_id item_id eventdate ordernumber"),
        columns={"session": "session", "user": "user", "item": "item", "time": "at", "event": "event",
                 "order": "order"},
        expand=_diginetica,
    ),
    Preset(
        name="gorse",
        summary="Gorse's feedback as CSV or JSON",
        tells=("feedback_type user_id item_id", "FeedbackType UserId ItemId"),
        columns={"user": "user_id|UserId", "item": "item_id|ItemId", "time": "time_stamp|timestamp",
                 "event": "feedback_type|FeedbackType"},
        words={"star": "add_to_wishlist", "read": "view_item"},
        header_of=_gorse,
    ),
    Preset(
        name="hm",
        summary="H&M's transactions_train.csv: what a customer buys on one day is one order",
        tells=("t_dat customer_id article_id",),
        columns={"user": "customer_id", "item": "article_id", "time": "t_dat"},
        default="purchase",
    ),
    Preset(
        name="metarank",
        summary="Metarank's events: rankings are lists that were seen, interactions what was done",
        tells=("event id timestamp user session", "event id timestamp item fields", "event id timestamp user fields"),
        columns={"user": "user", "session": "session", "item": "item", "time": "timestamp", "event": "type"},
        words={"ranking": "view_item_list", "(item)": "", "(user)": ""},
        expand=_metarank,
    ),
    Preset(
        name="movielens",
        summary="MovieLens: ratings.csv, ratings.dat, u.data; a rating is a view",
        tells=("userId movieId rating timestamp",),
        columns={"user": "userId", "item": "movieId", "time": "timestamp"},
        header_of=_movielens,
    ),
    Preset(
        name="otto",
        summary="OTTO's sessions as JSON lines, or a table of their events",
        tells=("session events", "session aid ts type"),
        columns={"session": "session", "item": "aid", "time": "ts", "event": "type"},
        words={"0": "view_item", "1": "add_to_cart", "2": "purchase"},
        expand=_otto,
    ),
    Preset(
        name="personalize",
        summary="Amazon Personalize's interactions",
        tells=("USER_ID ITEM_ID TIMESTAMP",),
        columns={"user": "USER_ID", "item": "ITEM_ID", "time": "TIMESTAMP", "event": "EVENT_TYPE"},
        words={"watch": "view_item"},
    ),
    Preset(
        name="rees46",
        summary="REES46's events of a shop (Kaggle), one or several months",
        tells=("event_time event_type product_id user_id",),
        columns={"user": "user_id", "item": "product_id", "time": "event_time", "event": "event_type",
                 "price": "price", "brand": "brand", "category": "category_code"},
    ),
    Preset(
        name="yoochoose",
        summary="RecSys Challenge 2015 (YooChoose): clicks and buys, without a header",
        tells=("session time item click_category", "session time item bought"),
        columns={"session": "session", "item": "item", "time": "time", "event": "event", "price": "price",
                 "quantity": "bought"},
        header_of=_yoochoose,
        expand=_yoochoose_rows,
    ),
)  # fmt: skip

FORMATS: Final = tuple(map(preset_format, (*PRESETS, MAPPED)))
