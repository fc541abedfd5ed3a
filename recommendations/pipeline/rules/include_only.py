"""Include only: show the targeted items and nothing else."""

from __future__ import annotations

from recommendations.core.actions import RuleAction
from recommendations.core.types import Mask
from recommendations.pipeline.rules.base import Action


class IncludeOnly(Action):
    """Several such rules add up: an item that any of them targets may be shown."""

    name = RuleAction.INCLUDE_ONLY
    verb = "Shows nothing but"
    is_filter = True

    def kept(self, targeted: Mask) -> Mask:
        """Return the rows that some rule targets."""
        return targeted

    def effect_words(self, *, factor: float | None, position: int | None) -> str:
        """Return that the item may be shown because of the rule."""
        return "kept, as the rule names it"
