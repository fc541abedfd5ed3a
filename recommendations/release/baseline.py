"""The serving pipeline without a shop around it: for evaluation, and for the live version's part in the gate."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Final

from features.catalogue.draft import with_changes
from features.catalogue.items import ItemRow
from features.catalogue.snapshot import CatalogueSnapshot
from recommendations.core.deadline import Deadline
from recommendations.core.types import RequestUser
from recommendations.inference import ModelSet
from recommendations.items.index import ItemIndex
from recommendations.pipeline.pipeline import recommend
from recommendations.pipeline.query import ListQuery, PlacementSpec
from recommendations.retrieval.base import ServingContext
from recommendations.retrieval.model import ModelLink
from tracking.contract.user_key import key_of_anonymous

PLACEMENT: Final = PlacementSpec(name="evaluation", strategy="for_you", size=20)
_UNHURRIED_MS: Final = 60_000.0


class PipelinePredictor:
    """Answers as ``home_for_you`` of a shop without rules would: from item ids seen to item ids listed.

    The catalogue is made of the model's items, all in stock and without attributes.

    Parameters
    ----------
    product_of : mapping of item id to group id, optional
        Items are asked about, and listed, as the products that they are variants of.
    """

    def __init__(
        self,
        model: ModelSet,
        *,
        version: str = "evaluation",
        size: int = 20,
        product_of: Mapping[str, str] | None = None,
    ) -> None:
        self._product_of = product_of or {}
        catalogue = _catalogue_of(model.item_ids, self._product_of)
        bare = ItemIndex(catalogue)
        link = ModelLink(model, bare, version=version)
        item_index = ItemIndex(catalogue, popularity=link.popularity_of_rows())
        self._serving = ServingContext(item_index=item_index, model=link, now_ms=int(time.time() * 1000))
        self._size = size

    def __call__(self, history: Sequence[str]) -> list[str]:
        """Return what is listed after a user looked at ``history``, oldest first."""
        newest_first = tuple(reversed(history))
        made = recommend(
            ListQuery(placement=PLACEMENT, limit=self._size),
            RequestUser(
                key=key_of_anonymous("evaluation"), recents=tuple(dict.fromkeys(newest_first)), session=newest_first
            ),
            self._serving,
            deadline=Deadline.after(_UNHURRIED_MS),
        )
        listed = (self._serving.item_index.item_id(row) for row in made.rows)
        return [self._product_of.get(item_id, item_id) for item_id in listed]


def _catalogue_of(item_ids: Sequence[str], product_of: Mapping[str, str]) -> CatalogueSnapshot:
    long_ago_us = 1_000_000
    rows = [
        ItemRow(
            pk=index, item_id=item_id, title="", titles={}, brand="", category="", url="", image_url="",
            price_minor=None, sale_price_minor=None, cost_minor=None, currency="", availability="in_stock",
            stock=None, group_id=product_of.get(item_id, ""), tags=(), attributes={}, is_active=True,
            first_seen_us=long_ago_us, updated_us=long_ago_us,
        )
        for index, item_id in enumerate(item_ids)
        if index
    ]  # fmt: skip
    return with_changes(CatalogueSnapshot.empty("evaluation"), rows)
