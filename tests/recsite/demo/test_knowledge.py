"""The page of what the shop knows."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from recsite.demo.catalogue import Product


def test_the_shop_works_without_the_feature_store(shop: list[Product], client: Client, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    client.cookies["rec_aid"] = "somebody-" + "x" * 23
    assert "does not answer" in client.get("/demo/knowledge/").content.decode()
    assert client.get("/").status_code == 200


@pytest.mark.redis
def test_the_knowledge_page_shows_a_stranger_nothing(
    shop: list[Product], client: Client, settings: Any, redis_url: str
) -> None:
    settings.REDIS_URL = redis_url
    client.cookies["rec_aid"] = "nobody-" + "x" * 25
    assert "Nothing yet" in client.get("/demo/knowledge/").content.decode()
