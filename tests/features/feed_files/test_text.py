"""Encodings: told from the file, mended where they are mixed, and said."""

from __future__ import annotations

import io

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from features.feed_files.report import FeedReport
from features.feed_files.text import MAX_LINE, FeedText


def read(data: bytes) -> tuple[str, FeedReport]:
    report = FeedReport()
    text = FeedText(io.BufferedReader(io.BytesIO(data)), report)
    return "".join(text.chunks()), report


TEXTS = st.text(st.sampled_from("abc äöüßé€\n,;"), max_size=60).map(lambda text: f"id,title\n{text}")


@given(TEXTS, st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252"]))
def test_a_text_is_the_same_in_every_encoding(text: str, encoding: str) -> None:
    data = text.encode(encoding)
    assume(encoding != "cp1252" or data.decode("utf-8", "ignore").isascii())  # "ß€" is a letter of N'Ko in UTF-8

    found, _ = read(data)

    assert found == text


@pytest.mark.parametrize("declared", ["windows-1252", "ISO-8859-1", "windows-1251", "shift_jis"])
def test_xml_says_its_encoding(declared: str) -> None:
    codec = "cp1252" if declared == "ISO-8859-1" else declared
    word = {"windows-1251": "Чашка", "shift_jis": "カップ"}.get(declared, "Größe €")

    found, report = read(f'<?xml version="1.0" encoding="{declared}"?><t>{word}</t>'.encode(codec))

    assert word in found
    assert report.notes[0].startswith("read as ")


def test_a_wrong_declaration_does_not_count() -> None:
    found, _ = read('<?xml version="1.0" encoding="ISO-8859-1"?><t>Größe</t>'.encode())

    assert "Größe" in found


def test_one_wrong_value_leaves_the_others_as_they_are() -> None:
    found, report = read("Größe\n".encode() * 5_000 + b"Gr\xf6\xdfe\n" + "Größe\n".encode() * 5_000)

    assert found == "Größe\n" * 10_001
    assert [one.count for one in report.mended.values()] == [2]


def test_blank_lines_and_a_servers_warnings_are_passed_over_and_lines_counted_on() -> None:
    report = FeedReport()
    text = FeedText(
        io.BufferedReader(io.BytesIO(b"\n<br />\n<b>Warning</b>:  foo() in x.php on line 3<br />\nid,title\n1,Mug\n")),
        report,
    )

    assert list(text.lines()) == [(4, "id,title"), (5, "1,Mug")]
    assert next(iter(report.mended.values())).count == 3


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_lines_end_as_any_system_ends_them(ending: str) -> None:
    found, _ = read(f"a{ending}b{ending}".encode())

    assert found == "a\nb\n"


def test_a_line_without_an_end_is_cut() -> None:
    report = FeedReport()
    text = FeedText(io.BufferedReader(io.BytesIO(b"x" * (MAX_LINE + 99_999) + b"\nb\n")), report)

    lines = list(text.lines())

    assert [(number, len(line)) for number, line in lines] == [(1, MAX_LINE), (2, 1)]
