from __future__ import annotations

import numpy as np
import pytest

from recommendations.training.data.building import log_from_sessions
from recommendations.training.data.dataset import SessionLog, popularity_vocabulary

AISLES, ITEMS_PER_AISLE = 8, 6


def aisle_sessions(n: int, *, seed: int) -> list[list[str]]:
    """Shoppers who walk one aisle, item 0 to item 5 and round again: what comes next is certain."""
    rng = np.random.default_rng(seed)
    sessions = []
    for _ in range(n):
        aisle, start, length = rng.integers(AISLES), rng.integers(ITEMS_PER_AISLE), rng.integers(3, 6)
        sessions.append([f"a{aisle}-{(start + step) % ITEMS_PER_AISLE}" for step in range(length)])
    return sessions


@pytest.fixture(scope="session")
def aisles() -> SessionLog:
    log = log_from_sessions(aisle_sessions(400, seed=7))
    return log.reindexed(popularity_vocabulary(log))
