"""Include only: show the targeted items and nothing else."""

from __future__ import annotations

from recommendations.core.actions import RuleAction
from recommendations.core.types import Mask
from recommendations.core.words import gettext as _
from recommendations.pipeline.rules.base import Action, RuleSpec


class IncludeOnly(Action):
    """Several such rules add up: an item that any of them targets may be shown."""

    name = RuleAction.INCLUDE_ONLY
    is_filter = True

    def kept(self, targeted: Mask) -> Mask:
        """Return the rows that some rule targets."""
        return targeted

    def sentence(self, spec: RuleSpec, targets: str) -> str:
        """Return what the rule does to what it targets."""
        return _("Shows nothing but %(items)s") % {"items": targets}

    def effect_words(self, *, factor: float | None, position: int | None) -> str:
        """Return that the item may be shown because of the rule."""
        return _("kept, as the rule names it")
