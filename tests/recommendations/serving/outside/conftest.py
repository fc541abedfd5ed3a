"""A shop with a service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from recommendations.models import HttpSource, Placement
from recommendations.serving.outside import proposals
from recommendations.serving.outside.report import reporter
from recommendations.state.own_sources import watch_own_sources
from tests.recommendations.conftest import Shop
from tests.recommendations.outside_service import Service, running


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with running(tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
def stylist(shop: Shop, service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpSource]:
    """Return a source that two placements name."""
    monkeypatch.setattr(proposals, "_breakers", {})
    for number in range(8):
        shop.add(f"sku{number}")
    Placement.objects.filter(site=shop.site, name="home_trending").update(sources=["stylist"])
    Placement.objects.filter(site=shop.site, name="home_new").update(sources=["stylist"])
    made = HttpSource.objects.create(
        site=shop.site, name="stylist", label="picked by a stylist", url=service.url, budget_ms=30_000
    )
    watch_own_sources(shop.site.slug).reload()
    yield made
    reporter.stop()
