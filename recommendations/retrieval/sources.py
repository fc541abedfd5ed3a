"""Every candidate source that needs no trained model, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from recommendations.retrieval.arrivals import FreshSource, NewestSource
from recommendations.retrieval.base import Source
from recommendations.retrieval.content import ContentSource
from recommendations.retrieval.popular import PopularSource, TrendingSource
from recommendations.retrieval.purchases import PurchasesSource
from recommendations.retrieval.recents import RecentsSource

SOURCES: Final[Mapping[str, Source]] = {
    source.name: source
    for source in (
        RecentsSource(),
        PurchasesSource(),
        PopularSource(),
        TrendingSource(),
        NewestSource(),
        FreshSource(),
        ContentSource(),
    )
}
