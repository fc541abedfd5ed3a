"""A merchandiser's browser, and the form of a rule as it sends it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.recommendations.conftest import Shop


@pytest.fixture
def admin(shop: Shop, admin_client: Client) -> Client:
    return admin_client


def rule_form(shop: Shop, **changes: Any) -> dict[str, Any]:
    return {
        "site": shop.site.pk, "name": "No hats", "action": "exclude", "strength": 2, "position": 1, "priority": 0,
        "items": "sku1\n\n sku2 \nsku1", "shoppers": "all", **changes,
    }  # fmt: skip
