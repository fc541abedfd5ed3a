"""Three sites of one installation, alike in every name but for what they hold."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client

from recommendations.http.recommend import recommend_application
from recommendations.models import Placement
from recommendations.serving import explanation_log
from tests.recommendations.conftest import ANONYMOUS, Shop, _new_shop, shop
from tests.tracking.asgi_client import Answered, call

__all__ = ["shop"]
USER = "u-1"


@dataclass
class Tenant:
    """A site with an item and a placement that only it has, and others that all have under the same names."""

    shop: Shop
    own_item: str
    own_placement: str
    rec_id: str = ""

    @property
    def slug(self) -> str:
        return self.shop.site.slug

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the typed API with this site's secret key."""
        data = {"data": json.dumps(body), "content_type": "application/json"} if body is not None else {}
        headers = {"authorization": f"Bearer {self.shop.secret}"}
        return getattr(Client(), method)(f"/v1{path}", headers=headers, **data)

    async def ask(self, application: Any, body: dict[str, Any], **more: Any) -> Answered:
        """Ask a hot path with this site's secret key."""
        return await call(application, json.dumps({"key": self.shop.secret, **body}).encode(), **more)


@pytest.fixture
def tenants(shop: Shop, settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> list[Tenant]:
    # One of its own: other tests may have used up what one process keeps.
    monkeypatch.setattr(explanation_log, "keeper", explanation_log.ExplanationKeeper())
    settings.ARCHIVE_URL = str(tmp_path / "archive")
    settings.ALLOWED_HOSTS = ["testserver"]
    made = []
    for each in (shop, _new_shop(shop.redis_url), _new_shop(shop.redis_url)):
        tenant = Tenant(each, f"only-{each.site.slug}", f"only-{each.site.slug}")
        for item_id in (tenant.own_item, "shared"):
            each.add(item_id, title=f"{item_id} of {each.site.slug}")
        Placement.objects.create(site=each.site, name=tenant.own_placement, strategy="new", size=4)
        now_ms = int(time.time() * 1000)
        each.remember(tenant.own_item, now_ms=now_ms)
        each.remember(tenant.own_item, now_ms=now_ms, user_key=f"u:{USER}")
        made.append(tenant)
    for tenant in made:
        tenant.shop.load()
    for tenant in made:
        body = {"placement": tenant.own_placement, "anonymous_id": ANONYMOUS, "explain": True}
        answer = asyncio.run(tenant.ask(recommend_application, body))
        tenant.rec_id = answer.json["results"][0]["rec_id"]
    explanation_log.keeper.flush()
    return made
