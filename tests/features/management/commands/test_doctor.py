"""``manage.py doctor`` prints what the page shows, for people and for programs."""

from __future__ import annotations

import json
import time
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from features.store import connections
from tests.features.quality.stocking import stock
from tracking.models import Site

pytestmark = pytest.mark.django_db


@pytest.fixture
def site() -> Site:
    return Site.objects.create(slug=f"quality{time.monotonic_ns()}", name="Shop", currency="EUR")


@pytest.mark.redis
def test_findings_come_first_and_a_fault_can_end_a_script(site: Site, settings: Any, redis_url: str) -> None:
    settings.REDIS_URL = redis_url
    stock(connections.client(), site.slug)
    said = StringIO()
    call_command("doctor", site=[site.slug], stdout=said)
    printed = said.getvalue()
    assert printed.index("Orders in other currencies") < printed.index("Mended values")
    assert "Next:" in printed
    said = StringIO()
    call_command("doctor", site=[site.slug], json=True, stdout=said)
    report = json.loads(said.getvalue())
    assert {"name": ["JPY"], "day": 41, "month": 369, "samples": []} in report["orders"]
    call_command("doctor", site=[site.slug], check=True, stdout=StringIO())
    connections.client().delete(f"rs:{site.slug}:quality_hour:{time.time_ns() // 3_600_000_000_000}")
    with pytest.raises(CommandError, match="1 fault"):
        call_command("doctor", site=[site.slug], check=True, stdout=StringIO())


def test_without_redis_it_says_what_to_check(site: Site, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    with pytest.raises(CommandError, match="REDIS_URL"):
        call_command("doctor", stdout=StringIO())
