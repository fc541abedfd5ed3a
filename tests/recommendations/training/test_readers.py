from __future__ import annotations

import gzip

import polars as pl
import pytest

from recommendations.training.dataset import InvalidDataset, Kind
from recommendations.training.readers import (
    read_archive,
    read_online_retail,
    read_retailrocket_events,
    read_sessions_jsonl,
    read_test_points_jsonl,
)


def sessions_of(log):
    return [
        [log.item_ids[i] for i in log.items[start:end]]
        for start, end in zip(log.offsets[:-1], log.offsets[1:], strict=True)
    ]


@pytest.mark.parametrize("packed", [False, True])
def test_session_files_are_read_with_ids_of_either_type(tmp_path, packed):
    path = tmp_path / ("s.jsonl.gz" if packed else "s.jsonl")
    text = '["a", "b"]\n[7]\n'
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())

    assert sessions_of(read_sessions_jsonl(path)) == [["a", "b"], ["7"]]


@pytest.mark.parametrize("line", ["{}", '["a", null]', "not json"])
def test_a_bad_session_line_is_named(tmp_path, line):
    path = tmp_path / "s.jsonl"
    path.write_text(f'["a"]\n{line}\n')

    with pytest.raises(InvalidDataset, match="line 2"):
        read_sessions_jsonl(path)


def test_test_points_are_read_in_order(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"prefix": ["a", 2], "target": "c"}\n{"prefix": [], "target": 4}\n')

    assert read_test_points_jsonl(path) == [(["a", "2"], "c"), ([], "4")]


@pytest.mark.parametrize("line", ['{"prefix": "a", "target": "b"}', '{"prefix": ["a"]}', "[]"])
def test_a_bad_test_point_is_named(tmp_path, line):
    path = tmp_path / "t.jsonl"
    path.write_text(line + "\n")

    with pytest.raises(InvalidDataset, match="line 1"):
        read_test_points_jsonl(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InvalidDataset, match="nowhere"):
        read_sessions_jsonl(tmp_path / "nowhere.jsonl")


def archive_rows(**columns):
    rows = {
        "site": ["shop", "shop", "shop", "other", "shop"],
        "user_key": ["u", "u", "v", "u", "v"],
        "session_id": ["1", "1", "1", "1", "1"],
        "event": ["view_item", "purchase", "add_to_cart", "view_item", "page_view"],
        "item_id": ["a", "b", "c", "d", None],
        "occurred_at_ms": [1, 2, 3, 4, 5],
        "price_minor": [1, 2, 3, 4, 5],
    }
    return pl.DataFrame(rows | columns)


def test_the_archive_gives_one_sites_items_by_user_and_session(tmp_path):
    (tmp_path / "date=2026-01-01").mkdir()
    archive_rows().write_parquet(tmp_path / "date=2026-01-01" / "0-1.parquet")

    log = read_archive(tmp_path, site="shop")

    assert sessions_of(log) == [["a", "b"], ["c"]]
    assert log.kinds.tolist() == [Kind.VIEW, Kind.PURCHASE, Kind.CART]


def test_the_archive_is_read_as_of_a_point_in_time(tmp_path):
    archive_rows().write_parquet(tmp_path / "0.parquet")

    assert sessions_of(read_archive(tmp_path, site="shop", until_ms=3)) == [["a", "b"]]


def test_without_session_ids_quiet_time_ends_a_session(tmp_path):
    hour = 3_600_000
    archive_rows(
        session_id=pl.Series([None] * 5, dtype=pl.String), occurred_at_ms=[0, 2 * hour, 3, 4, 5]
    ).write_parquet(tmp_path / "0.parquet")

    assert sessions_of(read_archive(tmp_path, site="shop")) == [["a"], ["c"], ["b"]]


def test_an_empty_archive_and_a_strange_one_are_refused(tmp_path):
    with pytest.raises(InvalidDataset, match="no Parquet file"):
        read_archive(tmp_path, site="shop")

    archive_rows().drop("event").write_parquet(tmp_path / "0.parquet")
    with pytest.raises(InvalidDataset, match="no column 'event'"):
        read_archive(tmp_path, site="shop")


def test_retailrocket_seconds_become_milliseconds(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("timestamp,visitorid,event,itemid\n100,1,view,5\n160,1,transaction,6\n")

    log = read_retailrocket_events(path)

    assert sessions_of(log) == [["5", "6"]]
    assert log.occurred_at_ms.tolist() == [100_000, 160_000]


def test_online_retail_leaves_out_cancellations_and_services(tmp_path):
    path = tmp_path / "retail.parquet"
    pl.DataFrame(
        {
            "InvoiceNo": ["1", "1", "C2", "3"],
            "StockCode": ["85123a", "POST", "71053", "71053"],
            "Quantity": [1, 1, -1, 2],
            "InvoiceDate": pl.Series([1, 1, 2, 3]).cast(pl.Datetime("us")),
            "UnitPrice": [2.5, 18.0, 3.0, 3.0],
            "CustomerID": [17850.0, 17850.0, 17850.0, None],
        }
    ).write_parquet(path)

    log = read_online_retail(path)

    assert sessions_of(log) == [["85123A"], ["71053"]]
    assert log.users.tolist() == [0, -1]
