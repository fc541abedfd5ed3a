"""Strategies by segment are chosen in rows: what is chosen is saved, and half a row is refused."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest
from django import forms
from django.http import QueryDict
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from recommendations.admin.placing.by_segment import BySegmentField
from recommendations.core.strategies import STRATEGIES
from recommendations.models import Placement
from tests.recommendations.admin.test_placements import FORM
from tests.recommendations.conftest import Shop

KNOWN = ["champions", "new", "lost"]


class AForm(forms.Form):
    pairs = BySegmentField(segments=lambda: KNOWN, required=False)


class Selects(HTMLParser):
    """What a browser sends of a form's choices."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "select":
            self.sent.append((given["name"] or "", ""))
        elif tag == "option" and "selected" in given:
            self.sent[-1] = (self.sent[-1][0], given["value"] or "")


def sent(page: str) -> QueryDict:
    """Return what a browser sends of the page's choices."""
    reader = Selects()
    reader.feed(page)
    data = QueryDict(mutable=True)
    for name, value in reader.sent:
        data.appendlist(name, value)
    return data


@given(st.dictionaries(st.sampled_from([*KNOWN, "of last year"]), st.sampled_from(sorted(STRATEGIES))))
def test_a_form_that_is_shown_and_sent_back_says_what_it_said(pairs: dict[str, str]) -> None:
    shown = AForm(initial={"pairs": pairs})

    back = AForm(sent(str(shown["pairs"])), initial={"pairs": pairs})

    assert back.is_valid(), back.errors
    assert back.cleaned_data["pairs"] == pairs
    assert not back.has_changed()


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([("champions", "")], "A row has a segment or a strategy alone"),
        ([("", "trending")], "A row has a segment or a strategy alone"),
        ([("new", "trending"), ("new", "popular")], "new stands in two rows"),
        ([("new", "magic")], "“magic” is no strategy. Strategies: for_you"),
    ],
)
def test_what_is_half_or_double_or_unknown_is_said(rows: list[tuple[str, str]], said: str) -> None:
    form = AForm({"pairs_segment": [row[0] for row in rows], "pairs_strategy": [row[1] for row in rows]})

    assert not form.is_valid()
    assert said in form.errors["pairs"][0]
    again = sent(str(form["pairs"]))
    assert list(zip(again.getlist("pairs_segment"), again.getlist("pairs_strategy"), strict=True))[: len(rows)] == [
        (segment, strategy if strategy in STRATEGIES else "") for segment, strategy in rows
    ], "nothing that can be shown is lost"


@pytest.mark.redis
def test_they_are_saved_with_the_placement_and_emptied_rows_are_gone(shop: Shop, admin: Client) -> None:
    placement = Placement.objects.get(site=shop.site, name="home_for_you")
    change = reverse("admin:recommendations_placement_change", args=[placement.pk])

    def save(*rows: tuple[str, str]) -> Any:
        admin.post(
            change,
            {
                **FORM,
                "segment_strategies_segment": [row[0] for row in rows],
                "segment_strategies_strategy": [row[1] for row in rows],
            },
        )
        placement.refresh_from_db()
        return placement.segment_strategies

    assert save(("champions", "buy_again"), ("new", "trending"), ("", "")) == {
        "champions": "buy_again",
        "new": "trending",
    }
    page = admin.get(change).content.decode()
    assert 'value="buy_again" selected' in page
    assert save(("", ""), ("new", "trending")) == {"new": "trending"}
    assert save(("", "")) == {}
