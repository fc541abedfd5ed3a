"""Bury: divide the scores of the targeted items."""

from __future__ import annotations

from recommendations.core.actions import RuleAction
from recommendations.core.words import gettext as _
from recommendations.pipeline.rules.base import Action, RuleSpec


class Bury(Action):
    """Moves items down; they are still listed where there is nothing better."""

    name = RuleAction.BURY
    moves = True

    def factor(self, spec: RuleSpec) -> float:
        """Return one over the rule's strength."""
        return 1.0 / spec.strength

    def sentence(self, spec: RuleSpec, targets: str) -> str:
        """Return what the rule does to what it targets."""
        return _("Moves down %(items)s, to 1/%(strength)s") % {"items": targets, "strength": f"{spec.strength:g}"}

    def effect_words(self, *, factor: float | None, position: int | None) -> str:
        """Return how much less the item counts."""
        return _("moved down: counts 1/%(factor)s") % {"factor": f"{1 / factor:g}"} if factor else _("moved down")
