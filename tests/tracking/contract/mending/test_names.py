from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.contract.events import KNOWN_EVENTS
from tracking.contract.mending.names import ITEM_FIELDS, PARAMS_FIELDS, UNIVERSAL_ACTIONS, event_name, own_name, squash


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Add To Cart", "add_to_cart"),
        ("view-item", "view_item"),
        ("ee_view_item", "view_item"),
        ("viewItemList", "view_item_list"),
        ("view_search_results", "search"),
        ("PURCHASE", "purchase"),
        ("newsletter_signup", None),
        ("ViewContent", "view_item"),
        ("Order Completed", "purchase"),
        ("view_content", None),
        ("", None),
    ],
)
def test_another_spelling_of_a_known_event_is_that_event(written: str, name: str | None) -> None:
    assert event_name(written) == name


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Wheel Spun", "wheel_spun"),
        ("form.submit", "form_submit"),
        ("\u00c9tape 2", "etape_2"),
        ("Sale!", ""),
        ("7", ""),
    ],
)
def test_an_event_of_the_shops_own_gets_a_name_of_the_contract(written: str, name: str) -> None:
    assert own_name(written) == name


@given(st.text(max_size=60))
def test_an_own_name_is_the_contracts_or_none(written: str) -> None:
    assert re.fullmatch(r"(?:[a-z][a-z0-9_]{0,39})?", own_name(written))


def test_aliases_are_squashed_and_lead_to_names_of_the_contract() -> None:
    aliases = {**ITEM_FIELDS, **PARAMS_FIELDS}

    assert [name for name in aliases if squash(name) != name] == []
    assert set(UNIVERSAL_ACTIONS.values()) <= KNOWN_EVENTS.keys()
