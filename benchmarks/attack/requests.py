"""Random requests within the documented limits, and their neighbours: what a search for the dearest one walks over."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from benchmarks.shoppers import shopper
from recommendations.serving.schemas import (
    MAX_BUDGET_MS,
    MAX_CANDIDATES,
    MAX_CONTEXT_ITEMS,
    MAX_EXCLUDED,
    MAX_LIMIT,
    MAX_PLACEMENTS,
)

RANK_PATH: Final = "/v1/rank"
LISTS_PATH: Final = "/v1/recommendations"
PLACEMENTS: Final = (
    "home_for_you", "home_trending", "home_new", "home_recently_viewed", "home_buy_again", "product_similar",
    "product_also_viewed", "product_bought_together", "cart_goes_with", "search_results",
)  # fmt: skip
"""What every site has at first: ``recommendations.state.placements.DEFAULT_PLACEMENTS``."""
OPERATORS: Final = ("=", "!=", "<", "has", "under", "in", "empty", "many")
NAMES: Final = (
    "price", "brand", "category", "group_id", "stock", "age_days", "availability", "tags", "in_stock", "item_id",
    "attributes.colour",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One comparison; its value is new with each request, so that nothing of it is cached."""

    name: str
    operator: str
    is_negated: bool

    def text(self, rng: random.Random) -> str:
        """Return it as a condition says it."""
        number = rng.randrange(1, 10**6)
        values = {
            "price": f"{number / 1000:.3f}",
            "stock": f"{number / 10_000:.3f}",
            "age_days": f"{number / 10_000:.3f}",
            "brand": f'"Brand {number % 300}"',
            "category": f'"Aisle {number % 97}"',
        }
        value = values.get(self.name, f'"{number}"')
        if self.operator == "<" and value.startswith('"'):
            value = str(number)
        if self.operator in ("in", "many"):
            several = ", ".join(str(rng.randrange(1, 10**4)) for _ in range(3 if self.operator == "in" else 100))
            compared = f"{self.name} in ({several})"
        elif self.operator == "empty":
            compared = f"{self.name} is empty"
        elif self.operator == "has":
            compared = f'{self.name} has "{number % 1000}"'
        elif self.operator == "under":
            compared = f"{self.name} under {value}"
        else:
            compared = f"{self.name} {self.operator} {value}"
        return f"not {compared}" if self.is_negated else compared


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a request is like; ``body`` writes one, each time with other ids and values."""

    path: str
    placements: tuple[str, ...]
    limit: int
    n_excluded: int
    n_context: int
    n_cart: int
    n_items: int
    comparisons: tuple[Comparison, ...]
    joined_by: str
    is_same_filter: bool
    is_known_user: bool
    budget_ms: int

    def body(self, key: str, rng: random.Random, *, n_items: int, n_shoppers: int) -> bytes:
        """Return the JSON of a request that nobody sent before."""

        def skus(n: int) -> list[str]:
            return [f"sku{rng.randrange(1, n_items)}" for _ in range(n)]

        def condition() -> str | None:
            parts = [each.text(rng) for each in self.comparisons]
            while len(text := f" {self.joined_by} ".join(parts)) > 2_000:
                parts.pop()
            return text or None

        who = shopper(rng.randrange(n_shoppers)) if self.is_known_user else f"{rng.getrandbits(128):032x}"
        common: dict[str, Any] = {"key": key, "anonymous_id": who, "budget_ms": self.budget_ms}
        if self.path == RANK_PATH:
            items = list(dict.fromkeys(skus(self.n_items)))
            return msgspec.json.encode(
                common | {"items": items, "context_items": skus(self.n_context), "filter": condition()}
            )
        same = condition()
        wanted = [
            {
                "placement": name,
                "limit": self.limit,
                "exclude": skus(self.n_excluded),
                "context_items": skus(self.n_context),
                "filter": same if self.is_same_filter else condition(),
            }
            for name in self.placements
        ]
        return msgspec.json.encode(common | {"placements": wanted, "cart": skus(self.n_cart)})

    def words(self) -> str:
        """Return what it is like, for people."""
        conditions = f" {self.joined_by} ".join(
            f"{'not ' if each.is_negated else ''}{each.name} {each.operator}" for each in self.comparisons[:4]
        )
        more = f" … ({len(self.comparisons)} comparisons)" if len(self.comparisons) > 4 else ""
        if self.path == RANK_PATH:
            return f"rank {self.n_items} items, {self.n_context} context; {conditions}{more}"
        return (
            f"{len(self.placements)} lists of {self.limit}, {self.n_excluded} excluded, {self.n_context} context, "
            f"{self.n_cart} in cart, {'one filter' if self.is_same_filter else 'a filter each'}; {conditions}{more}"
        )


def _comparison(rng: random.Random) -> Comparison:
    return Comparison(name=rng.choice(NAMES), operator=rng.choice(OPERATORS), is_negated=rng.random() < 0.3)


def _several(rng: random.Random, make: Callable[[random.Random], Any], most: int) -> tuple[Any, ...]:
    return tuple(make(rng) for _ in range(rng.choice((0, 1, 2, 4, 8, 16, most))))


def _size(rng: random.Random, most: int) -> int:
    return rng.choice((0, 1, most // 10, most // 3, most))


def random_recipe(rng: random.Random) -> Recipe:
    """Return any request."""
    return Recipe(
        path=RANK_PATH if rng.random() < 0.2 else LISTS_PATH,
        placements=tuple(rng.choice(PLACEMENTS) for _ in range(rng.choice((1, 2, 5, 10, MAX_PLACEMENTS)))),
        limit=max(_size(rng, MAX_LIMIT), 1),
        n_excluded=_size(rng, MAX_EXCLUDED),
        n_context=_size(rng, MAX_CONTEXT_ITEMS),
        n_cart=_size(rng, MAX_CONTEXT_ITEMS),
        n_items=max(_size(rng, MAX_CANDIDATES), 1),
        comparisons=_several(rng, _comparison, 64),
        joined_by=rng.choice(("and", "or")),
        is_same_filter=rng.random() < 0.5,
        is_known_user=rng.random() < 0.7,
        budget_ms=rng.choice((1, 60, MAX_BUDGET_MS)),
    )


def neighbour(recipe: Recipe, rng: random.Random) -> Recipe:
    """Return a request that differs in one or two respects."""
    other = random_recipe(rng)
    names = rng.sample(
        ("placements", "limit", "n_excluded", "n_context", "n_cart", "n_items", "comparisons", "joined_by",
         "is_same_filter", "is_known_user", "budget_ms", "one_comparison", "one_comparison", "one_placement"),
        rng.choice((1, 2)),
    )  # fmt: skip
    for name in names:
        if name == "one_comparison":
            recipe = replace(recipe, comparisons=_with_other(recipe.comparisons, _comparison(rng), rng, most=64))
        elif name == "one_placement":
            others = _with_other(recipe.placements, rng.choice(PLACEMENTS), rng, most=MAX_PLACEMENTS)
            recipe = replace(recipe, placements=others or recipe.placements)
        else:
            recipe = replace(recipe, **{name: getattr(other, name)})
    return recipe


def _with_other(values: Sequence[Any], other: Any, rng: random.Random, *, most: int) -> tuple[Any, ...]:
    """Return the values with one added, replaced, or left out."""
    changed = list(values)
    what = rng.choice(("add", "replace", "drop"))
    if what == "add" and len(changed) < most:
        changed.append(other)
    elif changed:
        at = rng.randrange(len(changed))
        changed[at : at + 1] = [other] if what != "drop" else []
    return tuple(changed)
