"""What a rule or a placement names and nothing has is named, with the nearest that there is."""

from __future__ import annotations

import pytest

from recommendations.filters import language
from recommendations.lint.linter import lint
from recommendations.lint.names import comparisons_of, unknown_in
from recommendations.lint.vocabulary import Vocabulary
from tests.recommendations.lint.trying import ON, compiled, home
from tests.recommendations.worlds import NOW_MS


@pytest.mark.parametrize(
    ("condition", "named"),
    [
        ('brand = "Alta" and tags has "new"', []),
        ('brand in ("alta", "Broi")', [("the brand Broi", "Did you mean Brio?")]),
        ('not (tags = "nw" or price > 3)', [("the tag nw", "Did you mean new?")]),
        ('availability = "in stock"', []),
        ('availability != "sold out"', [("the availability sold out", "Write one of in_stock, out_of_stock")]),
        ("prize > 3", [("the attribute prize", "Write price.")]),
        ("attributes.season is empty", [("the attribute attributes.season", "Attributes of your own")]),
        ('brand has "xyz"', []),  # a part of a name is no name
        ('attributes.repeatable = "yes"', []),
        ("price <", []),  # the form says what is wrong with it
    ],
)
def test_names_in_a_condition(condition: str, named: list[tuple[str, str]]) -> None:
    found = list(unknown_in(condition, Vocabulary(ON)))

    assert [what for what, _, _ in found] == [what for what, _ in named]
    assert all(remedy.startswith(wanted) for (_, _, remedy), (_, wanted) in zip(found, named, strict=True)), found


def test_ids_that_were_stored_in_one_line_are_told_to_be_several() -> None:
    specs = compiled([{"action": "exclude", "items": ["sku1,sku2,sku3"]}])

    findings = lint(specs, {"home": home(specs, "")}, ON, now_ms=NOW_MS)

    assert "These are several ids: write each on a line of its own." in [each.remedy for each in findings]


def test_segments_are_compared_with_those_there_are() -> None:
    specs = compiled([{"action": "boost", "brands": ["alta"], "segments": ["loyal", "loial"]}])

    named = [each.what for each in lint(specs, {"home": home(specs, "")}, ON, now_ms=NOW_MS, segments=("loyal",))]

    assert named == ["“rule 1” names the segment loial."]


def test_every_comparison_of_a_condition_is_looked_at() -> None:
    condition = language.parse('price < 3 and (brand = "a" or not tags has "b")')

    assert [each.name for each in comparisons_of(condition)] == ["price", "brand", "tags"]
