"""Tables: quotation marks, separators, headers, and that a damaged row costs no other."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.feed_files.report import FeedBroken
from features.feed_files.tables import split_line
from tests.features.feed_files import writing
from tests.features.feed_files.writing import Product, Write, items_in

ROWS = [f"AA-{number:03d}" for number in range(12)]
PRODUCTS = [
    Product(item_id, title, f"{number + 1}.50", f"{number + 1}.25" if number % 3 == 0 else "")
    for number, (item_id, title) in enumerate(
        zip(ROWS, ["Mug", 'Lid 27"', "Salt, pepper; more", '"Mega" pan', "Tasse grün", "Pot"] * 2, strict=True)
    )
]
CELLS = st.text(st.characters(exclude_characters="\r\n\x00", exclude_categories=["Cs"]), max_size=12)


@given(st.lists(CELLS, min_size=1, max_size=6), st.sampled_from(",;\t|"))
def test_a_line_that_a_program_wrote_is_split_as_it_was_put_together(cells: list[str], separator: str) -> None:
    quoted = separator.join('"' + cell.replace('"', '""') + '"' for cell in cells)

    assert split_line(quoted, separator) == (cells, None)


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        ('1,27" monitor,9', ["1", '27" monitor', "9"]),
        ('1,"24 inch" screen,9', ["1", '"24 inch" screen', "9"]),
        ('1,"a ""b"" c",9', ["1", 'a "b" c', "9"]),
        ('1,"27"" monitor, black",9', ["1", '27" monitor, black', "9"]),
        ('1, "padded, cell" ,9', ["1", "padded, cell", "9"]),
        ('1,"",9', ["1", "", "9"]),
        ('1,"""quoted""",9', ["1", '"quoted"', "9"]),
    ],
)
def test_quotation_marks_are_quotations_only_where_they_close(line: str, cells: list[str]) -> None:
    assert split_line(line, ",") == (cells, None)


def titles_of(data: str) -> dict[str, str]:
    items, _ = items_in(data.encode())
    return {item_id: item["title"] for item_id, item in items.items()}


@pytest.mark.parametrize("separator", [",", "\t", ";"])
@pytest.mark.parametrize("stray", ['"Mega deal pan', 'Mega "deal', '"', 'Pan 27"', '"Mega" deal "pan', '"a', '""a'])
@pytest.mark.parametrize("later", ['Monitor 27"', '"Quoted, cell"', '"', "Plain"])
def test_a_stray_quotation_mark_never_joins_rows(separator: str, stray: str, later: str) -> None:
    titles = [stray, "Pot", "Jug", later, "Lid"]
    rows = "".join(
        separator.join([f"T{number}", title.replace(",", "") if separator == "," else title, f"{number}.00"]) + "\n"
        for number, title in enumerate(titles)
    )

    found = titles_of(separator.join(["id", "title", "price"]) + "\n" + rows)

    assert found.keys() == {f"T{number}" for number in range(5)}
    assert (found["T1"], found["T2"], found["T4"]) == ("Pot", "Jug", "Lid")


def test_a_quotation_may_go_over_lines() -> None:
    found = titles_of('id,title,price\n1,"Two\nlines, with ""marks""",3\n2,Pan,4\n3,"Three\n\nlines",5\n')

    assert found == {"1": 'Two lines, with "marks"'.replace(" lines", "\nlines"), "2": "Pan", "3": "Three\n\nlines"}


@pytest.mark.slow
@given(st.sampled_from(writing.TABLES[:4]), st.integers(0, len(ROWS) - 1), st.data())
@settings(max_examples=300, deadline=None)
def test_damage_to_one_row_costs_at_most_that_row(write: Write, number: int, data: st.DataObject) -> None:
    text = write(PRODUCTS)
    lines = text.splitlines(keepends=True)
    at_line = next(index for index, line in enumerate(lines) if ROWS[number] in line)
    line = lines[at_line].removesuffix("\n")
    at = data.draw(st.integers(0, len(line)))
    cut = data.draw(st.integers(0, 3))
    put_in = data.draw(
        st.sampled_from(['"', "", '"""', "\t", ",", ";", "\x00", "\x07", "\ud7ff", "|", "\n", '\n"', "Ã"])
    )
    lines[at_line] = line[:at] + put_in + line[at + cut :] + "\n"

    whole, _ = items_in(text.encode())
    found, _ = items_in("".join(lines).encode())

    others = {name: item for name, item in whole.items() if name != ROWS[number]}
    assert {name: found.get(name) for name in others} == others


@pytest.mark.slow
@given(st.binary(min_size=1, max_size=4), st.integers(0, len(ROWS) - 1), st.integers(8, 30))
def test_bytes_of_another_encoding_cost_at_most_their_row(wrong: bytes, number: int, at: int) -> None:
    wrong = wrong.replace(b"\n", b"?").replace(b"\r", b"?")
    text = writing.google_csv(PRODUCTS).encode()
    line = next(line for line in text.splitlines(keepends=True) if ROWS[number].encode() in line)

    whole, _ = items_in(text)
    found, _ = items_in(text.replace(line, line[:at] + wrong + line[at:]))

    assert {name: found.get(name) for name in ROWS if name != ROWS[number]} == {
        name: item for name, item in whole.items() if name != ROWS[number]
    }


def test_lines_before_the_header_are_passed_over_and_counted() -> None:
    items, report = items_in(b"Export of 1 May\n\n# all products\nid;title\n1;Mug\n")

    assert items.keys() == {"1"}
    assert [(one.what, one.count) for one in report.mended.values()] == [("lines before the header were skipped", 3)]


def test_missing_cells_are_empty_and_further_ones_are_refused() -> None:
    items, report = items_in(b"id,title,price,brand\n1,Mug,9\n2,Cup,9,Acme,,\n3,A,b,9,Acme\n")

    assert items["1"].keys() == {"item_id", "title", "price_minor", "currency"}
    assert items["2"]["brand"] == "Acme"
    assert [(bad.line, bad.item_id) for bad in report.bad_rows] == [(4, "3")]


def test_a_table_without_an_id_keeps_its_columns_for_the_mapping() -> None:
    items, report = items_in(b"Bezeichnung,VK\nMug,9\n")

    assert not items
    assert report.bad_rows[0].field == "item_id"
    assert [column.name for column in report.columns.values()] == ["Bezeichnung", "VK"]


def test_a_semicolon_that_ends_a_reference_separates_nothing() -> None:
    assert titles_of("id;title;price\n1;Salt &amp; pepper;9\n2;Pan;8\n") == {"1": "Salt & pepper", "2": "Pan"}


def test_an_empty_file_says_what_it_needs() -> None:
    with pytest.raises(FeedBroken, match="the first line must name the fields"):
        items_in(b"\n\n")
