"""A shop whose trainings may begin."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from features.store import connections
from recommendations import keys
from tests.recommendations.conftest import Shop


@pytest.fixture
def unlocked(shop: Shop) -> Iterator[Shop]:
    """Return a shop while no training holds the lock."""
    client = connections.client()
    client.delete(keys.training_lock())
    yield shop
    client.delete(keys.training_lock())
