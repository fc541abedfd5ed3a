"""Bury: divide the scores of the targeted items."""

from __future__ import annotations

from recommendations.core.actions import RuleAction
from recommendations.pipeline.rules.base import Action, RuleSpec


class Bury(Action):
    """Moves items down; they are still listed where there is nothing better."""

    name = RuleAction.BURY
    verb = "Moves down"

    def factor(self, spec: RuleSpec) -> float:
        """Return one over the rule's strength."""
        return 1.0 / spec.strength

    def sentence_end(self, spec: RuleSpec) -> str:
        """Return the strength."""
        return f", to 1/{spec.strength:g}"

    def effect_words(self, *, factor: float | None, position: int | None) -> str:
        """Return how much less the item counts."""
        return f"moved down: counts 1/{1 / factor:g}" if factor else "moved down"
