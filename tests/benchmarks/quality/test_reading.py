"""Copies of public data sets, read by the importers as a shop's own files are."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality import reading
from benchmarks.quality.reading import data_sets, read_data_set
from benchmarks.quality.windows import PROTOCOLS
from benchmarks.report import NotHere
from recommendations.training.data.dataset import Kind, SessionLog

FILES = {
    "retailrocket": (
        "events.csv",
        "timestamp,visitorid,event,itemid,transactionid\n"
        "1430622000000,1,view,a,\n1430622060000,1,view,b,\n1430622070000,1,addtocart,b,\n"
        "1430629260000,1,view,c,\n1430622030000,2,view,a,\n",
        [["a"], ["a", "b"], ["c"]],
    ),
    "diginetica": (
        "train-item-views.csv",
        "sessionId;userId;itemId;timeframe;eventdate\n1;NA;b;2000;2016-05-09\n1;NA;a;1000;2016-05-09\n"
        "2;7;c;500;2016-05-10\n",
        [["a", "b"], ["c"]],
    ),
    "yoochoose": (
        "yoochoose-clicks.dat",
        "1,2014-04-07T10:51:09.277Z,a,0\n2,2014-04-07T10:52:00.000Z,c,0\n1,2014-04-07T10:54:09.868Z,b,0\n",
        [["c"], ["a", "b"]],
    ),
    "otto": (
        "train.jsonl",
        '{"session": 0, "events": [{"aid": 1, "ts": 1659304800025, "type": "clicks"},'
        ' {"aid": 2, "ts": 1659304904511, "type": "clicks"}, {"aid": 2, "ts": 1659304904999, "type": "carts"}]}\n'
        '{"session": 1, "events": [{"aid": 3, "ts": 1659304900000, "type": "clicks"}]}\n',
        [["3"], ["1", "2"]],
    ),
    "hm": (
        "transactions_train.csv",
        "t_dat,customer_id,article_id,price,sales_channel_id\n2018-09-20,c,0663713001,0.05,2\n"
        "2018-09-20,d,0541518023,0.03,2\n2018-09-21,c,0663713001,0.05,2\n",
        [["0663713001"], ["0541518023"], ["0663713001"]],
    ),
}


def sessions_of(log: SessionLog) -> list[list[str]]:
    ends = log.offsets[1:].tolist()
    return [
        [log.item_ids[item] for item in log.items[first:end].tolist()]
        for first, end in zip(log.offsets.tolist(), ends, strict=False)
    ]


@pytest.fixture(autouse=True)
def kept_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep what is read in the test's own folder."""
    folder = tmp_path / "kept"
    folder.mkdir()
    monkeypatch.setattr(reading, "gettempdir", lambda: str(folder))
    return folder


@pytest.mark.parametrize("name", FILES)
def test_a_data_set_becomes_the_sessions_of_its_protocol(name: str, tmp_path: Path) -> None:
    file_name, text, sessions = FILES[name]
    path = tmp_path / file_name
    path.write_text(text)

    log = read_data_set(path, PROTOCOLS[name])

    assert sessions_of(log) == sessions
    assert set(log.kinds.tolist()) == {int(PROTOCOLS[name].kind)}
    assert log.has_times


def test_what_was_read_is_taken_as_it_was_until_the_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_name, text, sessions = FILES["retailrocket"]
    path = tmp_path / file_name
    path.write_text(text)
    first = read_data_set(path, PROTOCOLS["retailrocket"])
    with monkeypatch.context() as patched:
        patched.setattr(reading, "open_chosen", lambda *_: pytest.fail("the file was read once more"))

        again = read_data_set(path, PROTOCOLS["retailrocket"])

    assert sessions_of(again) == sessions
    for name in ("items", "kinds", "occurred_at_ms", "offsets", "users"):
        np.testing.assert_array_equal(getattr(again, name), getattr(first, name), strict=True)
    path.write_text(text + "1430629270000,1,view,a,\n")
    assert sessions_of(read_data_set(path, PROTOCOLS["retailrocket"])) == [["a"], ["a", "b"], ["c", "a"]]


def test_the_order_of_a_basket_tells_nothing_of_its_ids(tmp_path: Path) -> None:
    path = tmp_path / "transactions_train.csv"
    lines = [f"2018-09-20,{customer},{item}," for customer in range(100) for item in ("0541518023", "0663713001")]
    path.write_text("t_dat,customer_id,article_id,price\n" + "\n".join(lines) + "\n")

    baskets = sessions_of(read_data_set(path, PROTOCOLS["hm"]))

    assert len(baskets) == 100
    assert {frozenset(basket) for basket in baskets} == {frozenset({"0541518023", "0663713001"})}
    assert 30 < sum(basket == sorted(basket) for basket in baskets) < 70


def test_who_puts_into_the_cart_is_not_quiet(tmp_path: Path) -> None:
    """Views 40 minutes apart are one session where a cart lies between them, and two where nothing does."""
    path = tmp_path / "events.csv"
    at = {name: 1_430_622_000_000 + minutes * 60_000 for name, minutes in (("a", 0), ("cart", 20), ("b", 40))}
    views = [f"{at[item]},{visitor},view,{item}," for visitor in (1, 2) for item in ("a", "b")]
    lines = [*views, f"{at['cart']},1,addtocart,a,"]
    path.write_text("timestamp,visitorid,event,itemid,transactionid\n" + "\n".join(lines) + "\n")

    log = read_data_set(path, PROTOCOLS["retailrocket"])

    assert sorted(sessions_of(log)) == [["a"], ["a", "b"], ["b"]]
    assert set(log.kinds.tolist()) == {int(Kind.VIEW)}


def test_a_session_file_is_read_in_its_order(tmp_path: Path) -> None:
    path = tmp_path / "sessions.jsonl.gz"
    with gzip.open(path, "wt") as file:
        file.writelines(json.dumps(each) + "\n" for each in (["a", "b"], ["c"]))

    log = read_data_set(path, PROTOCOLS["sessions"])

    assert sessions_of(log) == [["a", "b"], ["c"]]
    assert not log.has_times


def test_who_has_no_user_id_is_nobody(tmp_path: Path) -> None:
    file_name, text, _ = FILES["diginetica"]
    path = tmp_path / file_name
    path.write_text(text)

    assert read_data_set(path, PROTOCOLS["diginetica"]).users.tolist() == [-1, 0]


def test_a_file_without_what_is_measured_is_named(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text("timestamp,visitorid,event,itemid,transactionid\n1430622000000,1,addtocart,a,\n")

    with pytest.raises(NotHere, match=r"events\.csv: no view of an item is in there"):
        read_data_set(path, PROTOCOLS["retailrocket"])


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ("amazon=x", "give NAME=PATH with a name of retailrocket, diginetica"),
        ("retailrocket", "give NAME=PATH"),
        ("hm=nowhere.csv", "there is no nowhere.csv; give the file or folder of your copy"),
    ],
)
def test_a_data_set_that_cannot_be_had_is_named_with_the_remedy(named: str, why: str) -> None:
    with pytest.raises(NotHere, match=why):
        data_sets([named])


def test_data_sets_are_named_with_their_paths(tmp_path: Path) -> None:
    assert data_sets([f"otto={tmp_path}"]) == {"otto": tmp_path}
