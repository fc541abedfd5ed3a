"""Rows are the same in every spelling of a table; a damaged one costs one row."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsite.importing.base import InvalidSource, Shard
from recsite.importing.reading import rows
from recsite.importing.reading.rows import columns_of, read_rows

VALUES = [{"who": "ada", "what": "mug"}, {"who": "bob", "what": "caf\u00e9"}]


def rows_of(path: Path, data: bytes) -> list[dict[str, Any]]:
    path.write_bytes(data)
    return [row.values for row in read_rows(Shard(path)) if not row.problem]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "::"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_tables_of_text(delimiter: str, encoding: str, end: str, tmp_path: Path) -> None:
    text = end.join(["", delimiter.join(VALUES[0]), *(delimiter.join(each.values()) for each in VALUES), ""])
    assert rows_of(tmp_path / "log", text.encode(encoding)) == VALUES


@pytest.mark.parametrize("indent", [None, 2])
def test_json_lines_arrays_and_parquet(indent: int | None, tmp_path: Path) -> None:
    assert rows_of(tmp_path / "log", json.dumps(VALUES, indent=indent).encode()) == VALUES
    assert rows_of(tmp_path / "log", "\n\n".join(map(json.dumps, VALUES)).encode()) == VALUES
    pl.DataFrame(VALUES).write_parquet(tmp_path / "log")
    assert [row.values for row in read_rows(Shard(tmp_path / "log"))] == VALUES
    assert rows_of(tmp_path / "log", b"") == []


def test_a_stray_quotation_mark_joins_no_rows(tmp_path: Path) -> None:
    found = rows_of(tmp_path / "log", b'who,what\nada,24" screen\nbob,"a, b"\neve,"cut\nfay,x\nsep,\n')
    assert [row["what"] for row in found] == ['24" screen', "a, b", '"cut', "x", ""]


def without_blank_lines(cell: str) -> str:
    first, *more = cell.split("\n")
    return "\n".join([first, *(line for line in more[:-1] if line.strip()), *more[-1:]])


CELLS = st.text(alphabet='ab ,"\n\r', max_size=12)


@pytest.mark.slow
@given(st.lists(st.tuples(st.from_regex(r"[a-z]{1,5}", fullmatch=True), CELLS, CELLS), min_size=1, max_size=6))
def test_a_cell_may_go_over_lines(written: list[tuple[str, str, str]]) -> None:
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([("who", "what", "more"), *written])
    with tempfile.NamedTemporaryFile() as file:
        file.write(out.getvalue().encode())
        file.flush()
        found = list(read_rows(Shard(Path(file.name))))

    # A line of a cell that looks like a whole row is taken for one: no mark joins rows.
    lines = out.getvalue().split("\n")
    further = [line for line in lines if not line.startswith('"') or line.count('"') % 2]
    is_clear = not any(line.count('"') % 2 == 0 and line.count(",") >= 2 for line in further)
    if is_clear and not any("\r" in cell or cell.count('"') % 2 for cells in written for cell in cells[1:]):
        assert [tuple(row.values.values()) for row in found] == [
            tuple(map(without_blank_lines, cells)) for cells in written
        ]
    assert len(found) >= len(written)


def test_the_first_column_of_a_name_that_says_something_counts(tmp_path: Path) -> None:
    assert rows_of(tmp_path / "log", b"who,what,who\nada,a,\n,b,bob\n") == [
        {"who": "ada", "what": "a"}, {"who": "bob", "what": "b"},
    ]  # fmt: skip


def test_files_that_were_put_together_repeat_their_header(tmp_path: Path) -> None:
    assert rows_of(tmp_path / "log", b"who,what\nada,a\nwho,what\nbob,b\n") == [
        {"who": "ada", "what": "a"}, {"who": "bob", "what": "b"},
    ]  # fmt: skip


@pytest.mark.parametrize("write", [json.dumps, repr, lambda values: json.dumps(values) + ","])
def test_a_line_of_json_may_end_in_a_comma_or_be_pythons(write: Any, tmp_path: Path) -> None:
    assert rows_of(tmp_path / "log", "\n".join(map(write, VALUES)).encode()) == VALUES
    assert columns_of(write(VALUES[0]).encode()) == ("who", "what")


def test_a_line_of_excel_names_the_delimiter(tmp_path: Path) -> None:
    assert rows_of(tmp_path / "log", b"sep=;\nwho;what\nada;a,b\n") == [{"who": "ada", "what": "a,b"}]


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": 1}\n{"a": \n{"a": 2}\n', b'{"a": 1}\n[1]\n{"a": 2}\n', b"a,b\n1,2\n1,2,3\n4,5\n",
        b'[{"a": 1}, {"a": 2}, {"',
    ],
)  # fmt: skip
def test_a_damaged_row_costs_one_row_and_says_why(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(data)
    found = list(read_rows(Shard(tmp_path / "log")))
    assert [bool(row.problem) for row in found].count(True) == 1
    assert len(found) == 3


def test_a_line_that_is_too_long_costs_one_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_LINE", 40)
    found = [{"a": 1}, {"a": "x" * 100}, {"a": 2}]
    assert rows_of(tmp_path / "log", "\n".join(map(json.dumps, found)).encode()) == [{"a": 1}, {"a": 2}]
    with pytest.raises(InvalidSource, match="is not valid JSON"):
        rows_of(tmp_path / "log", b'[{"a": 1}, nonsense,\n' + b'{"a": 2},\n' * 20)


def test_the_columns_of_a_head_are_its_names_or_its_cells() -> None:
    assert columns_of(b'{"a": {"b": 1}, "c": 2}\n{"d"') == ("a", "c")
    assert columns_of(b"a;b, c;d\n1;2;3") == ("a", "b, c", "d")
    assert columns_of(b'{"a": [1, ') == ()
