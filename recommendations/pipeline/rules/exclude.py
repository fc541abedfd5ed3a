"""Exclude: never show the targeted items."""

from __future__ import annotations

from recommendations.core.actions import RuleAction
from recommendations.core.types import Mask
from recommendations.core.words import gettext as _
from recommendations.pipeline.rules.base import Action, RuleSpec


class Exclude(Action):
    """An item that another rule includes is excluded all the same, whatever the priorities: this is a promise."""

    name = RuleAction.EXCLUDE
    is_filter = True

    def kept(self, targeted: Mask) -> Mask:
        """Return the rows that no rule targets."""
        return ~targeted

    def sentence(self, spec: RuleSpec, targets: str) -> str:
        """Return what the rule does to what it targets."""
        return _("Never shows %(items)s") % {"items": targets}

    def effect_words(self, *, factor: float | None, position: int | None) -> str:
        """Return that the item is kept out."""
        return _("kept out")
