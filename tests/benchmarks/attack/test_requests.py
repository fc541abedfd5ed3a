"""The search walks over requests that are within the documented limits, and over many different ones."""

from __future__ import annotations

import random

import pytest

from benchmarks.attack.requests import PLACEMENTS, RANK_PATH, Recipe, neighbour, random_recipe
from recommendations.exceptions import InvalidQuery
from recommendations.filters import language
from recommendations.serving.schemas import parse_rank, parse_recommend
from recommendations.state.placements import DEFAULT_PLACEMENTS


def conditions_of(recipe: Recipe, rng: random.Random) -> list[str]:
    """Return the conditions of a request that the server's own parser takes."""
    body = recipe.body("pk_key", rng, n_items=1_000, n_shoppers=10)
    if recipe.path == RANK_PATH:
        return [parse_rank(body).filter or ""]
    return [each.filter or "" for each in parse_recommend(body).lists()]


def test_the_placements_are_those_of_every_site() -> None:
    assert {name for name, _, _ in DEFAULT_PLACEMENTS} == set(PLACEMENTS)


@pytest.mark.slow
def test_requests_and_their_neighbours_are_within_the_limits() -> None:
    rng = random.Random(1)
    seen = set()
    recipe = random_recipe(rng)
    unreadable = 0
    for step in range(300):
        recipe = random_recipe(rng) if step % 3 == 0 else neighbour(recipe, rng)
        seen.add(recipe)
        for text in conditions_of(recipe, rng):
            try:
                if text:
                    language.parse(text)
            except InvalidQuery:
                unreadable += 1
    assert len(seen) > 250
    assert unreadable == 0


def test_no_two_requests_of_a_kind_are_the_same() -> None:
    rng = random.Random(2)
    recipe = random_recipe(rng)
    bodies = {recipe.body("pk_key", rng, n_items=1_000, n_shoppers=10) for _ in range(20)}
    assert len(bodies) == 20
