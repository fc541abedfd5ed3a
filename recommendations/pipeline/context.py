"""What lists are made from, as it stands at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from recommendations.items.index import Shelf
from recommendations.retrieval.model import ModelLink


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What a site serves from at one moment: catalogue, model version (where there is one) and time."""

    shelf: Shelf
    model: ModelLink | None
    now_ms: int
    variant: str = "live"
