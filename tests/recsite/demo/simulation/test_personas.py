"""Who can be played on the demo's pages."""

from __future__ import annotations

import pytest

from recsite.demo.catalogue import SEED
from recsite.demo.simulation.personas import personas
from recsite.demo.simulation.shoppers import make_shoppers


@pytest.mark.slow
def test_personas_are_regulars_with_different_tastes() -> None:
    regulars = {shopper.user_id: shopper for shopper in make_shoppers(seed=SEED)}
    assert len(personas()) >= 6
    assert len({persona.user_id for persona in personas()}) == len(personas())
    assert all(regulars[persona.user_id].visits >= 5 for persona in personas())
