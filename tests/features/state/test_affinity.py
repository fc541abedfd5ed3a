"""What a user leans to, from recents and the catalogue."""

from __future__ import annotations

import pytest

from features.definitions import HALF_LIFE_SESSION_MS
from features.state.affinity import Affinity, Attributes, affinity, favourite_categories
from features.state.user_features import Recent

CATALOGUE = {
    "lamp": Attributes("lighting", "Lux", 1_000),
    "bulb": Attributes("lighting", "Lux", 4_000),
    "sofa": Attributes("seating", "Softy", None),
}


def seen(item_id: str, kind: str = "view", age_ms: int = 0) -> Recent:
    return Recent(item_id, kind, 0, age_ms)


def test_shares_sum_to_one_and_buying_weighs_more() -> None:
    found = affinity([seen("lamp"), seen("sofa", "purchase")], CATALOGUE.get)
    assert found.categories == pytest.approx({"seating": 5 / 6, "lighting": 1 / 6})
    assert list(found.categories) == ["seating", "lighting"]
    assert sum(found.brands.values()) == pytest.approx(1)


def test_an_interaction_weighs_half_after_its_half_life() -> None:
    found = affinity([seen("lamp", age_ms=HALF_LIFE_SESSION_MS), seen("sofa")], CATALOGUE.get)
    assert found.categories == pytest.approx({"seating": 2 / 3, "lighting": 1 / 3})


def test_the_price_level_is_the_geometric_mean_of_known_prices() -> None:
    assert affinity([seen("lamp"), seen("bulb"), seen("sofa")], CATALOGUE.get).price_minor == pytest.approx(2_000)


def test_what_nobody_knows_or_remembers_is_left_out() -> None:
    nothing = Affinity({}, {}, None)
    assert affinity([seen("gone")], CATALOGUE.get) == nothing
    assert affinity([], CATALOGUE.get) == nothing
    assert affinity([seen("sofa", age_ms=10**12)], CATALOGUE.get) == nothing


def test_favourites_look_further_back_than_the_session() -> None:
    recents = [seen("lamp", age_ms=86_400_000), seen("bulb", age_ms=86_400_000), seen("sofa")]
    assert favourite_categories(recents, CATALOGUE.get) == ["lighting", "seating"]
    assert favourite_categories(recents, CATALOGUE.get, limit=1) == ["lighting"]
