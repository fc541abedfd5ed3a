"""JSON: lists, wrapped lists and lines; a broken object costs no other."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.feed_files.report import FeedBroken
from tests.features.feed_files import writing
from tests.features.feed_files.test_tables import PRODUCTS, ROWS
from tests.features.feed_files.writing import Write, items_in


@pytest.mark.parametrize(
    "text",
    [
        '[{"id": "1", "title": "Mug"}]',
        '{"count": 1, "next": null, "products": [{"id": "1", "title": "Mug"}]}',
        '{"data": {"total": 1, "items": [{"id": "1", "title": "Mug"}]}}',
        '{\n "id": "1",\n "title": "Mug"\n}',
        '{"id": "1", "title": "Mug"}\n',
        '{"id": "1", "title": "Mug"},\n\n',
    ],
)
def test_a_list_is_found_wherever_it_is_wrapped(text: str) -> None:
    items, report = items_in(text.encode())

    assert {item_id: item["title"] for item_id, item in items.items()} == {"1": "Mug"}
    assert not report.bad_rows


def test_objects_longer_than_a_chunk_are_read() -> None:
    rows = [{"id": str(number), "title": "Mug", "description": "word " * 20_000} for number in range(4)]

    items, report = items_in(json.dumps(rows).encode())

    assert len(items) == 4
    assert not report.bad_rows


@pytest.mark.slow
@given(
    st.sampled_from([writing.json_list, writing.json_lines, writing.jsonld, writing.jsonld_lines]),
    st.integers(1, len(ROWS) - 1),
    st.data(),
)
@settings(max_examples=300, deadline=None)
def test_damage_to_one_object_costs_at_most_that_object(write: Write, number: int, data: st.DataObject) -> None:
    text = write(PRODUCTS)
    start = text.index(ROWS[number])
    end = text.rindex("}", 0, text.index(ROWS[number + 1]) if number + 1 < len(ROWS) else len(text))
    at = data.draw(st.integers(start + 6, end))
    cut = min(data.draw(st.integers(0, 2)), end + 1 - at)  # what stands between two objects belongs to both
    put_in = data.draw(st.sampled_from(['"', "", "{", "]", ",", "\x07", "\\", ":", "nul", "\t"]))
    damaged = text[:at] + put_in + text[at + cut :]

    whole, _ = items_in(text.encode())
    found, _ = items_in(damaged.encode())

    others = {name: item for name, item in whole.items() if name != ROWS[number]}
    assert {name: found.get(name) for name in others} == others
    assert len(found.keys() - whole.keys()) <= 1  # its id may be what was damaged


def test_a_list_that_was_cut_short_keeps_what_came_before_and_says_so() -> None:
    text = writing.json_list(PRODUCTS)

    with pytest.raises(FeedBroken, match="cut short"):
        items_in(text[: text.index(ROWS[5])].rpartition("},")[0].encode() + b"},")
