"""A worded name is its name wherever it is stored or sent, and has words for screens."""

from __future__ import annotations

import json

from recommendations.core.words import Worded


class Colour(Worded):
    MOSS = "moss", "Moss green"
    SAND = "sand", "Sand"


def test_a_member_is_its_name() -> None:
    assert Colour("moss") is Colour.MOSS
    assert json.dumps({"colour": Colour.MOSS}) == '{"colour": "moss"}'
    assert f"{Colour.SAND}" == "sand"


def test_choices_are_names_and_words_in_the_order_of_the_declaration() -> None:
    assert Colour.choices() == [("moss", "Moss green"), ("sand", "Sand")]
