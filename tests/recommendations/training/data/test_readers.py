from __future__ import annotations

import gzip

import polars as pl
import pytest

from recommendations.training.data.dataset import InvalidDataset
from recommendations.training.data.readers import (
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


def test_empty_lines_are_skipped_and_counted(tmp_path):
    path = tmp_path / "s.jsonl"
    path.write_text('["a"]\n\n["b"]\n\n17\n')

    with pytest.raises(InvalidDataset, match="line 5: expected a JSON list"):
        read_sessions_jsonl(path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("s.jsonl", b"", "s.jsonl holds no session"),
        ("s.jsonl", b"[]\n[]\n", "s.jsonl holds no session"),
        ("s.jsonl", b'["a"]\n\xff\xfe\n', "cannot be read after line 0: 'utf-8' codec"),
        ("s.jsonl.gz", b'["a"]\n', "s.jsonl.gz cannot be read after line 0: Not a gzipped file"),
        ("s.jsonl.gz", gzip.compress(b'["a"]\n' * 9000)[:-20], "cannot be read after line"),
        ("s.jsonl", b"[" * 5000, "line 1 is not JSON"),
        ("s.jsonl", b'["' + b"a" * (1 << 20) + b'"]', "line 1 is longer than 1048576 characters"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_how_far_it_was(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)

    with pytest.raises(InvalidDataset, match=said):
        read_sessions_jsonl(tmp_path / name)


@pytest.mark.parametrize(
    "line", ['{"prefix": "a", "target": "b"}', '{"prefix": ["a"]}', "[]", '{"prefix": [], "target": true}']
)
def test_a_bad_test_point_is_named(tmp_path, line):
    path = tmp_path / "t.jsonl"
    path.write_text(line + "\n")

    with pytest.raises(InvalidDataset, match="line 1"):
        read_test_points_jsonl(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InvalidDataset, match="nowhere"):
        read_sessions_jsonl(tmp_path / "nowhere.jsonl")


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
