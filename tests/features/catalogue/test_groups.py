"""Which items are variants of which product, as training and the checks of versions read it."""

from __future__ import annotations

import pytest

from features.catalogue.groups import group_of_items
from features.models import Item
from tracking.models import Site


@pytest.mark.django_db
def test_items_of_a_site_that_have_a_group_inactive_ones_too() -> None:
    ours, other = (Site.objects.create(slug=slug, name=slug) for slug in ("ours", "other"))
    Item.objects.create(site=ours, item_id="a", group_id="tee")
    Item.objects.create(site=ours, item_id="b", group_id="tee", is_active=False)
    Item.objects.create(site=ours, item_id="c")
    Item.objects.create(site=other, item_id="d", group_id="cup")

    assert group_of_items(ours) == {"a": "tee", "b": "tee"}
