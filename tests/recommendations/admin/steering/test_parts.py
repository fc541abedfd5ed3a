"""Further actions, as the form sends them and the database keeps them."""

from __future__ import annotations

import pytest
from django import forms

from recommendations.admin.steering.parts import PartsField, PartsWidget


def sent(**values: str) -> list[dict[str, object]]:
    data = {f"also-0-{name}": value for name, value in values.items()}
    return PartsField(required=False).clean(PartsWidget().value_from_datadict(data, {}, "also"))


def test_what_was_sent_is_kept_without_what_is_usual() -> None:
    assert sent(action="bury", brands="Dune\nIsle", strength="3", position="", per="brand") == [
        {"action": "bury", "brands": ["Dune", "Isle"], "strength": 3.0}
    ]
    assert sent(action="", brands="Dune") == []


def test_what_is_kept_is_shown_again_and_one_empty_group_more() -> None:
    shown = PartsField().widget.render("also", [{"action": "exclude", "items": ["SKU-1", "SKU-2"]}])

    assert "SKU-1\nSKU-2" in shown
    assert 'name="also-1-action"' in shown
    assert 'name="also-2-action"' not in shown


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"action": "exclude"}, "Action 2: Name its items"),
        ({"action": "boost", "strength": "much"}, "'much' is not a number"),
        ({"action": "boost", "strength": "900"}, "is not from 1 to 100"),
        ({"action": "replace", "items": "a"}, "Name the items to show instead"),
        ({"action": "boost", "condition": "price <"}, "The condition expects"),
        ({"action": "explode"}, "choose one of those offered"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_remedy(values: dict[str, str], said: str) -> None:
    with pytest.raises(forms.ValidationError, match=said):
        sent(**values)
