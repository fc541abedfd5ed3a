"""Lists are edited as lines, as they come out of a spreadsheet."""

from __future__ import annotations

import pytest

from recommendations.admin.fields import LinesField, LinesWidget


def test_blank_lines_spaces_and_repeats_are_dropped_and_the_order_stays() -> None:
    assert LinesField().clean(" b \r\n\n a\nb\n") == ["b", "a"]


def test_a_list_is_shown_as_lines_and_read_back() -> None:
    field = LinesField()

    assert field.prepare_value(["b", "a"]) == "b\na"
    assert field.to_python(field.prepare_value(["b", "a"])) == ["b", "a"]
    assert field.prepare_value("as typed\n\n") == "as typed\n\n", "what was refused comes back as it was typed"


@pytest.mark.parametrize(
    ("initial", "typed", "changed"),
    [(["a", "b"], "a\n\n b ", False), (["a", "b"], "b\na", True), ([], "", False), (None, " \n", False)],
)
def test_spacing_is_no_change_and_order_is(initial: list[str] | None, typed: str, changed: bool) -> None:
    assert LinesField(required=False).has_changed(initial, typed) is changed


def test_the_script_knows_what_to_offer_and_where_to_ask() -> None:
    html = LinesWidget(kind="brands", placeholder="Search brands …").render("brands", "Loam")

    assert 'data-suggest="brands"' in html
    assert 'data-suggest-url="/admin/recommendations/rule/suggest/"' in html
