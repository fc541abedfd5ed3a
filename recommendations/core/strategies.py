"""The strategies of placements: the one declaration of their names, words, subjects and candidate sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from recommendations.core.words import gettext_noop


class About(StrEnum):
    """Which items a list goes with."""

    USER = "shopper"  # what this user did last; the page's item counts as the newest of it
    CONTEXT = "context"  # the item, or items, of the page
    CART = "cart"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """How a list is made.

    Attributes
    ----------
    name : str
        As it is stored and sent.
    label : str
        What the form of a placement calls it.
    weights : mapping of source to weight
        In reciprocal rank fusion, beside those that the model version brings for its own sources.
    uses_model_weights : bool
        Take every source of the model with the weights that were tuned in training.
    beside_model : mapping of source to weight
        What stands beside those in place of ``weights``. What was tuned decides the order; repeats are in it already.
    uses_ranker : bool
        Order what the model knows by its ranker, where it has one.
    hides_about : bool
        Leave out the items that the list is about.
    lists_purchases : bool
        What was bought before is what the list is for, so no placement hides it.
    """

    name: str
    label: str
    about: About
    weights: Mapping[str, float]
    uses_model_weights: bool = False
    beside_model: Mapping[str, float] = field(default_factory=dict)
    uses_ranker: bool = False
    hides_about: bool = True
    lists_purchases: bool = False
    is_personal: bool = False

    @property
    def lists_own_past(self) -> bool:
        """Whether the list holds the user's own past and nothing else; such lists are never filled up."""
        return self.is_personal and self.about is About.NOTHING


_ALL: Final = (
    Strategy(
        name="for_you",
        label=gettext_noop("For you"),
        about=About.USER,
        weights={"recents": 0.3, "fresh": 0.25, "content": 0.1},
        beside_model={"recents": 1e-3, "fresh": 0.25, "content": 1e-2, "popular": 1e-4},
        uses_model_weights=True,
        uses_ranker=True,
        hides_about=False,
        is_personal=True,
    ),
    Strategy(
        name="similar",
        label=gettext_noop("Similar items"),
        about=About.CONTEXT,
        weights={"tfidf": 1.0, "content": 0.8, "covisitation": 0.3, "fresh": 0.2},
    ),
    Strategy(
        name="also_viewed",
        label=gettext_noop("Also viewed"),
        about=About.CONTEXT,
        weights={"covisitation": 1.0, "next": 0.5, "sessions": 0.5, "tfidf": 0.3, "content": 0.05},
    ),
    Strategy(
        name="bought_together",
        label=gettext_noop("Bought together"),
        about=About.CONTEXT,
        weights={"baskets": 1.0, "covisitation": 0.2, "tfidf": 0.1, "content": 0.02},
    ),
    Strategy(
        name="cart",
        label=gettext_noop("Goes with the cart"),
        about=About.CART,
        weights={"baskets": 1.0, "covisitation": 0.3, "sessions": 0.2, "tfidf": 0.1, "content": 0.02},
    ),
    Strategy(
        name="trending",
        label=gettext_noop("Trending"),
        about=About.NOTHING,
        weights={"trending": 1.0, "popular": 0.001},
    ),
    Strategy(name="new", label=gettext_noop("New arrivals"), about=About.NOTHING, weights={"newest": 1.0}),
    Strategy(
        name="recently_viewed",
        label=gettext_noop("Recently viewed"),
        about=About.NOTHING,
        weights={"recents": 1.0},
        hides_about=False,
        is_personal=True,
    ),
    Strategy(
        name="buy_again",
        label=gettext_noop("Buy again"),
        about=About.NOTHING,
        weights={"purchases": 1.0},
        hides_about=False,
        lists_purchases=True,
        is_personal=True,
    ),
    Strategy(
        name="rerank",
        label=gettext_noop("Re-rank given items"),
        about=About.USER,
        weights={"recents": 0.3, "content": 0.1},
        beside_model={"recents": 1e-3, "content": 1e-2},
        uses_model_weights=True,
        hides_about=False,
        is_personal=True,
    ),
)

BOUGHT_DAYS: Final = 30
"""How long a list leaves out what was bought, unless its placement says something else: a second one is of no use at
once, and what wears out or was a present may be wanted again after a month."""

STRATEGIES: Final[Mapping[str, Strategy]] = {strategy.name: strategy for strategy in _ALL}


def strategy_choices() -> list[tuple[str, str]]:
    """Return name and words of every strategy, as fields of models and forms take them."""
    return [(strategy.name, strategy.label) for strategy in _ALL]
