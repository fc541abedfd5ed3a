"""What lists are made from, as it stands at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from recommendations.items.index import ItemIndex
from recommendations.retrieval.model import ModelLink


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingContext:
    """What a site serves from at one moment: catalogue, model version (where there is one) and time."""

    item_index: ItemIndex
    model: ModelLink | None
    now_ms: int
    variant: str = "live"
