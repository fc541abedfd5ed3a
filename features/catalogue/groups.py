"""Which items of a site are variants of which product, for work outside of requests; one query."""

from __future__ import annotations

from features.models import Item
from tracking.models import Site


def group_of_items(site: Site) -> dict[str, str]:
    """Return the ``group_id`` of each item that has one, inactive items too, since users looked at them."""
    grouped = Item.objects.filter(site=site).exclude(group_id="")
    return dict(grouped.values_list("item_id", "group_id").iterator())
