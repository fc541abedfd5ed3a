"""Each preset reads the rows of its data set, told from the content alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from recsite.importing.base import ImportOptions, InvalidSource
from recsite.importing.formats import choose, open_chosen, open_source
from recsite.importing.sources.presets import PRESETS
from tests.recsite.importing.files import records, refusals, write

MARCH = 1_614_556_800_000
"""1 March 2021, 00:00 UTC."""

SAMPLES = {
    "amazon_reviews": (
        '{"rating": 4.0, "asin": "B00A", "parent_asin": "B00P", "user_id": "A1", "timestamp": 1614556800000}\n'
        '{"rating": 1, "asin": "B00A", "user_id": "A2", "timestamp": 1614556801000, "verified_purchase": true}\n',
        [("view_item", "B00P", MARCH), ("purchase", "B00A", MARCH + 1_000)],
    ),
    "diginetica": (
        "sessionId;userId;timeframe;eventdate;ordernumber;itemId\n9;NA;1500;2021-03-01;77;a\n9;5;1600;2021-03-01;77;b\n",
        [("purchase", "a", MARCH + 1_500), ("purchase", "b", MARCH + 1_600)],
    ),
    "gorse": (
        '{"FeedbackType": "read", "UserId": "7", "ItemId": "a", "Timestamp": "2021-03-01T00:00:00Z"}\n'
        '{"FeedbackType": "purchase", "UserId": "7", "ItemId": "b", "Timestamp": "2021-03-01 00:00:02"}\n',
        [("view_item", "a", MARCH), ("purchase", "b", MARCH + 2_000)],
    ),
    "hm": (
        "t_dat,customer_id,article_id,price,sales_channel_id\n2021-03-01,c,0108775015,0.05,2\n",
        [("purchase", "0108775015", MARCH)],
    ),
    "metarank": (
        '{"event": "item", "id": "x", "timestamp": "1614556800000", "item": "a", "fields": []}\n'
        '{"event": "interaction", "id": "i", "timestamp": "1614556801000", "user": "u", "session": "s",'
        ' "type": "purchase", "item": "a"}\n',
        [("purchase", "a", MARCH + 1_000)],
    ),
    "movielens": ("7::a1::5::1614556800\n7::12::5::1614556800\n", [("view_item", "12", MARCH)]),
    "otto": (
        '{"session": 0, "events": [{"aid": 5, "ts": 1614556802000, "type": "carts"},'
        ' {"aid": 4, "ts": 1614556800000, "type": "clicks"}]}\n',
        [("view_item", "4", MARCH), ("add_to_cart", "5", MARCH + 2_000)],
    ),
    "personalize": (
        "ITEM_ID,USER_ID,TIMESTAMP,EVENT_TYPE\na,7,1614556800,Watch\na,7,1614556801,add to cart\n",
        [("view_item", "a", MARCH), ("add_to_cart", "a", MARCH + 1_000)],
    ),
    "rees46": (
        "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n"
        "2021-03-01 00:00:01 UTC,remove_from_cart,a,1,home.lamp,ikea,3.50,7,s\n",
        [("remove_from_cart", "a", MARCH + 1_000)],
    ),
    "yoochoose": (
        "3,2021-03-01T00:00:00.250Z,a,1200,2\n3,2021-03-01T00:00:00.250Z,b,0,1\n",
        [("purchase", "a b", MARCH + 250)],
    ),
}


def test_every_preset_has_a_sample() -> None:
    assert set(SAMPLES) == {preset.name for preset in PRESETS}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_preset_is_told_from_the_content_and_reads_its_rows(name: str, tmp_path: Path) -> None:
    text, expected = SAMPLES[name]
    text = text.replace("7::a1::5::1614556800\n", "")
    source = open_source(write(tmp_path / "log", text), site="shop")

    found = [
        (event.__struct_config__.tag, " ".join(item.item_id for item in event.params.items), event.occurred_at_ms)  # type: ignore[union-attr]
        for record in records(source)
        for event in record.events
    ]

    assert source.name == name
    assert found == expected
    assert refusals(source) == []


@pytest.mark.parametrize(
    "table", ["session,aid,ts,type\n1,5,1614556800000,carts\n", "session,aid,ts,type\n1,5,1614556800,1\n"]
)
def test_otto_may_be_a_table(table: str, tmp_path: Path) -> None:
    (record,) = records(open_source(write(tmp_path / "log", table), site="shop"))
    assert record.events[0].__struct_config__.tag == "add_to_cart"


def test_what_is_wrong_with_one_event_of_a_session_costs_no_other(tmp_path: Path) -> None:
    good = [{"aid": 1, "ts": 1614556800, "type": "clicks"}, {"aid": 3, "ts": 1614556801, "type": "orders"}]
    events = [good[0], {**good[0], "ts": "soon"}, "x", {**good[0], "aid": None}, good[1]]
    source = open_source(write(tmp_path / "log", json.dumps({"session": 1, "events": events}) + "\n"), site="shop")

    assert [record.events[0].params.items[0].item_id for record in records(source)] == ["1", "3"]  # type: ignore[union-attr]
    assert len(refusals(source)) == 3


def test_lines_of_an_order_are_one_purchase_with_its_pieces_and_money(tmp_path: Path) -> None:
    head = "event_time,event_type,product_id,price,user_id\n"
    rows = [
        f"2021-03-01 00:00:01 UTC,purchase,{item},{price},7\n" for item, price in [("a", 2.5), ("b", 1), ("a", 2.5)]
    ]
    (record,) = records(open_source(write(tmp_path / "log", head + "".join(rows)), site="shop"))

    params = record.events[0].params

    assert [(item.item_id, item.quantity) for item in params.items] == [("a", 2), ("b", 1)]  # type: ignore[union-attr]
    assert params.value == 6.0  # type: ignore[union-attr]


def test_sessions_without_a_user_are_anonymous_and_stay_apart(tmp_path: Path) -> None:
    text = "".join(f"{session},2021-03-01T00:00:0{session}Z,a,0\n" for session in (1, 2, 2))
    keys = [record.user_key for record in records(open_source(write(tmp_path / "clicks.dat", text), site="shop"))]
    assert len(keys) == len(set(keys)) == 2
    assert all(key.startswith("a:yoochoose-") for key in keys)


def mapped(path: Path, columns: dict[str, str], words: dict[str, str] | None = None) -> list[tuple[str, int]]:
    choice = choose([path], is_mapped=True)
    source = open_chosen(choice, ImportOptions(site="shop", mapping=columns, words=words or {}))
    return [(record.user_key, record.events[0].occurred_at_ms) for record in records(source)]


def test_any_table_is_read_by_a_mapping(tmp_path: Path) -> None:
    table = write(tmp_path / "log.csv", "who|what|when|did\nada|a|01/03/2021|seen\n")
    columns = {"user": "who", "item": "what", "time": "when:%d/%m/%Y", "event": "did"}
    assert mapped(table, columns, {"seen": "view_item"}) == [("u:ada", MARCH)]
    headless = write(tmp_path / "plain", "ada 1\t5\t18687\n")
    assert mapped(headless, {"user": "1", "item": "2", "time": "3:s"}) == [("u:ada 1", 18_687_000)]


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"item": "what", "time": "when"}, "--map user="), ({"item": "what", "user": "who"}, "--map time="),
        ({"item": "what", "user": "who", "time": "when:m"}, "is no unit"),
        ({"item": "what", "user": "who", "time": "when", "colour": "c"}, "is no field"),
    ],
)  # fmt: skip
def test_a_mapping_that_lacks_something_is_refused_with_a_remedy(
    columns: dict[str, str], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidSource, match=reason):
        mapped(write(tmp_path / "log.csv", "who,what,when\nada,a,1614556800\n"), columns)
