"""A site's archive as a log: whose interactions, in which session, at which time."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest

from features.archive.rows import COLUMNS
from features.archive.writer import ArchiveFolder
from features.definitions import JOINS_A_DAY
from features.money import Quote, Rates, SiteMoney, exponent_of
from recommendations.training.data import archive
from recommendations.training.data.archive import read_archive, read_impressions
from recommendations.training.data.dataset import InvalidDataset, Kind


def sessions_of(log):
    return [
        [log.item_ids[i] for i in log.items[start:end]]
        for start, end in zip(log.offsets[:-1], log.offsets[1:], strict=True)
    ]


def write_archive(folder, *events, site="shop", day=0):
    rows = []
    for number, event in enumerate(events):
        values = dict.fromkeys(COLUMNS)
        values |= {
            "site": site,
            "event_id": f"{number}",
            "row": 0,
            "bot": False,
            "received_at_ms": 0,
            "consent": "granted",
        }
        values |= {"user_key": "a:one", "anonymous_id": "one", "session_id": "s", "event": "view_item"} | event
        rows.append(tuple(values[name] for name in COLUMNS))
    ArchiveFolder(str(folder)).write(site, day, "p0-0-9.parquet", rows)


def test_the_archive_gives_one_sites_interactions_by_shopper_and_session(tmp_path):
    write_archive(
        tmp_path,
        {"item_id": "a", "occurred_at_ms": 1},
        {"item_id": "b", "occurred_at_ms": 2, "event": "purchase"},
        {"item_id": "c", "occurred_at_ms": 3, "event": "add_to_cart", "user_key": "a:two", "anonymous_id": "two"},
        {"item_id": "d", "occurred_at_ms": 4, "bot": True},
        {"item_id": "a", "occurred_at_ms": 5, "event": "view_item_list"},
    )
    write_archive(tmp_path, {"item_id": "z", "occurred_at_ms": 1}, site="other")

    log = read_archive(tmp_path, site="shop")

    assert sessions_of(log) == [["a", "b"], ["c"]]
    assert log.kinds.tolist() == [Kind.VIEW, Kind.PURCHASE, Kind.CART]


def test_logging_in_does_not_cut_a_session_in_two(tmp_path):
    write_archive(
        tmp_path,
        {"item_id": "a", "occurred_at_ms": 1},
        {"item_id": "b", "occurred_at_ms": 2, "user_key": "u:eva", "user_id": "eva"},
    )

    assert sessions_of(read_archive(tmp_path, site="shop")) == [["a", "b"]]


def test_the_archive_is_read_as_of_a_point_in_time(tmp_path):
    write_archive(tmp_path, *({"item_id": item, "occurred_at_ms": ms} for ms, item in enumerate("abc")))

    assert sessions_of(read_archive(tmp_path, site="shop", since_ms=1, until_ms=2)) == [["b"]]


def test_without_session_ids_quiet_time_ends_a_session(tmp_path):
    hour_ms = 3_600_000
    write_archive(
        tmp_path,
        {"item_id": "a", "occurred_at_ms": 0, "session_id": None},
        {"item_id": "b", "occurred_at_ms": hour_ms, "session_id": None},
    )

    assert sessions_of(read_archive(tmp_path, site="shop")) == [["a"], ["b"]]


def test_the_newest_whole_days_are_read_up_to_the_bound(tmp_path):
    day_ms = 86_400_000
    for day in range(4):
        events = [
            {
                "item_id": f"{day}{name}",
                "occurred_at_ms": day * day_ms + at,
                "event_id": f"{day}{name}",
                "session_id": day,
            }
            for at, name in enumerate("ab")
        ]
        write_archive(tmp_path, *({**event, "session_id": f"s{day}"} for event in events), day=day)

    log = read_archive(tmp_path, site="shop", max_interactions=3)

    assert sessions_of(log) == [["2a", "2b"], ["3a", "3b"]]


def test_an_anonymous_shopper_of_an_earlier_day_is_the_user_of_a_later_one(tmp_path):
    write_archive(tmp_path, {"item_id": "a", "occurred_at_ms": 1, "event_id": "e1"})
    later = {"item_id": "b", "occurred_at_ms": 86_400_001, "event_id": "e2", "session_id": "t"}
    write_archive(tmp_path, {**later, "user_key": "u:eva", "user_id": "eva"}, day=1)

    assert read_archive(tmp_path, site="shop").users.tolist() == [0, 0]


def test_an_empty_archive_is_refused(tmp_path):
    with pytest.raises(InvalidDataset, match="no view, cart or purchase of 'shop'"):
        read_archive(tmp_path, site="shop")


def test_a_view_has_the_position_of_the_click_that_led_to_it(tmp_path):
    click = {"item_id": "a", "event": "select_item", "position": 3}
    write_archive(
        tmp_path,
        {"item_id": "b", "occurred_at_ms": 0},
        {**click, "occurred_at_ms": 1_000},
        {"item_id": "a", "occurred_at_ms": 2_000},
        {"item_id": "a", "occurred_at_ms": 2_500, "event": "add_to_cart"},
        {"item_id": "a", "occurred_at_ms": 100_000},
        {"item_id": "a", "occurred_at_ms": 2_000, "user_key": "a:two", "anonymous_id": "two"},
    )

    log = read_archive(tmp_path, site="shop")

    by_time = dict(
        zip(zip(log.occurred_at_ms.tolist(), log.session_of.tolist(), strict=True), log.positions, strict=True)
    )
    assert sorted(by_time.values()) == [-1, -1, -1, -1, 3]
    assert by_time[2_000, int(log.session_of[log.occurred_at_ms == 2_500][0])] == 3


def test_impressions_are_counted_by_item_and_place(tmp_path):
    shown = {"event": "view_item_list", "item_id": "a", "position": 0}
    write_archive(
        tmp_path,
        {**shown, "occurred_at_ms": 1},
        {**shown, "occurred_at_ms": 2},
        {**shown, "occurred_at_ms": 3, "position": 4},
        {**shown, "occurred_at_ms": 4, "bot": True},
        {**shown, "occurred_at_ms": 5, "position": None},
        {**shown, "occurred_at_ms": 6, "item_id": "b"},
        {**shown, "occurred_at_ms": 7, "event": "select_item"},
        {**shown, "occurred_at_ms": 9_000, "item_id": "b"},
    )

    found = read_impressions(tmp_path, site="shop", until_ms=9_000)

    rows = zip(
        found.items.tolist(), found.positions.tolist(), found.shown.tolist(), found.clicked.tolist(), strict=True
    )
    assert sorted(rows) == [(0, 0, 2, 1), (0, 4, 1, 0), (1, 0, 1, 0)]


def test_purchases_of_the_archive_have_amounts(tmp_path):
    write_archive(
        tmp_path,
        {"item_id": "a", "occurred_at_ms": 1, "price": 9.99},
        {"item_id": "a", "occurred_at_ms": 2, "price": 9.99, "quantity": 2, "event": "purchase"},
        {"item_id": "b", "occurred_at_ms": 3, "event": "purchase"},
    )

    log = read_archive(tmp_path, site="shop")

    assert log.amounts.tolist() == [0, 1998, 0]
    assert log.prices.tolist() == pytest.approx([9.99, 9.99, float("nan")], nan_ok=True)


def test_an_order_that_is_reported_again_is_one_purchase_wherever_and_whenever(tmp_path):
    order = {"event": "purchase", "transaction_id": "T", "source": "browser"}
    server = {**order, "source": "server", "user_key": "u:7", "user_id": "7", "anonymous_id": None}
    write_archive(
        tmp_path,
        {"item_id": "a", "occurred_at_ms": 1},
        {**server, "item_id": "a", "occurred_at_ms": 2, "event_id": "server", "row": 0, "session_id": "other"},
        {**server, "item_id": "c", "occurred_at_ms": 2, "event_id": "server", "row": 1, "session_id": "other"},
        {**order, "item_id": "a", "occurred_at_ms": 3, "event_id": "page", "row": 0},
        {**order, "item_id": "a", "occurred_at_ms": 3, "event_id": "page", "row": 1},  # two lines of one item
        {**order, "item_id": "a", "occurred_at_ms": 9, "event_id": "reload", "row": 0},
        {**order, "item_id": "b", "occurred_at_ms": 3, "event_id": "an-order-of-another", "transaction_id": "T2"},
    )
    reload = {**order, "item_id": "a", "occurred_at_ms": 86_400_001, "event_id": "next-day", "row": 0}
    write_archive(tmp_path, reload, {"item_id": "d", "occurred_at_ms": 86_400_002}, day=1)

    log = read_archive(tmp_path, site="shop")

    bought = sorted(
        log.item_ids[item] for item, kind in zip(log.items, log.kinds, strict=True) if kind == Kind.PURCHASE
    )
    assert bought == ["a", "a", "b", "c"]
    assert sorted(log.item_ids[item] for item in log.items[log.kinds == Kind.VIEW]) == ["a", "d"]


def test_of_a_users_browsers_of_a_day_a_persons_number_is_joined() -> None:
    day = pl.DataFrame(
        {
            "user_id": ["till"] * 50 + ["ada"] * 2 + [None],
            "anonymous_id": [f"b{number:02}" for number in range(50)] + ["a1", "a2", "b00"],
            "occurred_at_ms": [*range(50), 3, 4, 99],
        }
    )

    owners = archive._owners(day)

    till, ada = pl.Series(["u:till", "u:ada"]).hash(seed=0).to_list()
    assert owners["owner"].value_counts(sort=True).rows() == [(till, JOINS_A_DAY), (ada, 2)]
    first = pl.Series([f"a:b{number:02}" for number in range(JOINS_A_DAY)]).hash(seed=0)
    assert set(owners.filter(pl.col("owner") == till)["anonymous"]) == set(first)


def bought(item_id, **values):
    known = {"item_id": item_id, "event": "purchase", "occurred_at_ms": 5, "price": 10.0, "quantity": 2}
    return {**known, "transaction_id": "o1", "currency": "EUR", **values}


def amounts_of(log):
    is_purchase = log.kinds == Kind.PURCHASE
    ids = [log.item_ids[index] for index in log.items[is_purchase]]
    return dict(zip(ids, log.amounts[is_purchase].tolist(), strict=True))


@pytest.mark.parametrize(
    ("currency", "site", "minor"),
    [
        ("EUR", "EUR", 2_000), ("JPY", "JPY", 20), ("KWD", "KWD", 20_000), ("CLF", "CLF", 200_000), (None, "JPY", 20),
        ("USD", "EUR", 1_600), ("JPY", "EUR", 12), ("XXX", "EUR", 0),
    ],
)  # fmt: skip
def test_amounts_are_minor_units_of_the_sites_currency(tmp_path, currency, site, minor):
    rates = Rates([Quote(0, "USD", "EUR", Decimal("0.8")), Quote(0, "JPY", "EUR", Decimal("0.006"))])
    write_archive(tmp_path, bought("a", currency=currency))

    log = read_archive(tmp_path, site="shop", money=SiteMoney(site, rates))
    assert amounts_of(log) == {"a": minor}
    assert log.decimals == exponent_of(site)


@pytest.mark.parametrize(
    ("refunds", "left"),
    [
        ([{"item_id": None}], {"a": 0, "b": 0}),
        ([{"item_id": "a", "quantity": 1}], {"a": 1_000, "b": 2_000}),
        ([{"item_id": "a", "quantity": 1}, {"item_id": "a", "quantity": 5}], {"a": 0, "b": 2_000}),
        ([{"item_id": "b", "quantity": None}, {"item_id": "c"}], {"a": 2_000, "b": 1_000}),
        (
            [{"item_id": "a", "transaction_id": "o2"}, {"item_id": "a", "transaction_id": None}],
            {"a": 2_000, "b": 2_000},
        ),
    ],
)
def test_what_was_refunded_is_not_counted_on_whatever_day_that_was(tmp_path, refunds, left):
    told = [
        {"event": "refund", "transaction_id": "o1", "quantity": 2, "occurred_at_ms": 86_400_000 + number, **refund}
        for number, refund in enumerate(refunds)
    ]
    write_archive(tmp_path, bought("a"), bought("b", row=1))
    write_archive(tmp_path, *[{**each, "event_id": f"r{number}"} for number, each in enumerate(told)], day=1)

    log = read_archive(tmp_path, site="shop")

    assert amounts_of(log) == left
    assert len(log.items) == 2  # a refund is no interaction
