"""Boost: multiply the scores of the targeted items."""

from __future__ import annotations

from recommendations.core.actions import RuleAction
from recommendations.pipeline.rules.base import Action, RuleSpec


class Boost(Action):
    """Moves items up, as far as their scores carry them."""

    name = RuleAction.BOOST
    verb = "Moves up"

    def factor(self, spec: RuleSpec) -> float:
        """Return the rule's strength."""
        return spec.strength

    def sentence_end(self, spec: RuleSpec) -> str:
        """Return the strength."""
        return f", {spec.strength:g} times"

    def effect_words(self, *, factor: float | None, position: int | None) -> str:
        """Return how much more the item counts."""
        return f"moved up: counts {factor:g} times" if factor else "moved up"
