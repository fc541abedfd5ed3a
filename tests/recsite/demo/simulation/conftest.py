"""The simulated shoppers."""

from __future__ import annotations

import pytest

from recsite.demo.catalogue import SEED
from recsite.demo.simulation.shoppers import Shopper, make_shoppers


@pytest.fixture(scope="session")
def shoppers() -> list[Shopper]:
    return make_shoppers(seed=SEED)
