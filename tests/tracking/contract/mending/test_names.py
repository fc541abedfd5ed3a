from __future__ import annotations

import pytest

from tracking.contract.events import KNOWN_EVENTS
from tracking.contract.mending.names import ITEM_FIELDS, PARAMS_FIELDS, UNIVERSAL_ACTIONS, event_name, squash


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
        ("", None),
    ],
)
def test_another_spelling_of_a_known_event_is_that_event(written: str, name: str | None) -> None:
    assert event_name(written) == name


def test_aliases_are_squashed_and_lead_to_names_of_the_contract() -> None:
    aliases = {**ITEM_FIELDS, **PARAMS_FIELDS}

    assert [name for name in aliases if squash(name) != name] == []
    assert set(UNIVERSAL_ACTIONS.values()) <= KNOWN_EVENTS.keys()
