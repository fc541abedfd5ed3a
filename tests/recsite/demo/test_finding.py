"""Search and the order of a department."""

from __future__ import annotations

import pytest

from features.models import Item
from recsite.demo.finding import best_first, matching
from tracking.access.sites import ensure_default_site


@pytest.mark.django_db
def test_a_search_shows_titles_first_and_no_chance_hits_in_descriptions() -> None:
    site, _ = ensure_default_site()
    for item_id, title, description in (
        ("1", "Moor Boot", "Holds its shape in consistent rain."),
        ("2", "Ground Sheet", "Goes under tents of two metres."),
        ("3", "Dome Tent", "Stands in the wind."),
    ):
        Item.objects.create(site=site, item_id=item_id, title=title, description=description)

    found = matching(Item.objects.filter(site=site), "tents")

    assert [item.item_id for item in found] == ["3", "2"]


@pytest.mark.django_db
def test_a_department_shows_one_of_each_category_in_turn() -> None:
    site, _ = ensure_default_site()
    for number, category in enumerate(("Camping > Tents", "Camping > Tents", "Camping > Stoves", "Camping > Mats")):
        Item.objects.create(site=site, item_id=f"a{number}", title="x", category=category)

    shown = [item.category for item in best_first(Item.objects.filter(site=site))]

    assert set(shown[:3]) == {"Camping > Tents", "Camping > Stoves", "Camping > Mats"}
    assert shown[3] == "Camping > Tents"
