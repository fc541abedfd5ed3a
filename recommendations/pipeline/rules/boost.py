"""Boost: multiply the scores of the targeted items."""

from __future__ import annotations

from recommendations.core.actions import RuleAction
from recommendations.core.words import gettext as _
from recommendations.pipeline.rules.base import Action, RuleSpec


class Boost(Action):
    """Moves items up, as far as their scores carry them."""

    name = RuleAction.BOOST
    moves = True

    def factor(self, spec: RuleSpec) -> float:
        """Return the rule's strength."""
        return spec.strength

    def sentence(self, spec: RuleSpec, targets: str) -> str:
        """Return what the rule does to what it targets."""
        return _("Moves up %(items)s, %(strength)s times") % {"items": targets, "strength": f"{spec.strength:g}"}

    def effect_words(self, *, factor: float | None, position: int | None) -> str:
        """Return how much more the item counts."""
        return _("moved up: counts %(factor)s times") % {"factor": f"{factor:g}"} if factor else _("moved up")
