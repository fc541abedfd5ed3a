"""What the live version can order a list for, in words, beside the weights of a placement."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from recommendations.core.objectives import LEARNT, MIN_POSITIVES, Objective
from recommendations.core.strategies import STRATEGIES
from recommendations.models import ModelVersion, Placement


def learnt_words(placement: Placement) -> str:
    """Return which objectives count now, what the others lack, and whether the placement's strategy asks for any."""
    used = [placement.strategy, *placement.segment_strategies.values()]
    if not any(STRATEGIES[name].uses_ranker for name in used if name in STRATEGIES):
        return _("Only lists of “For you” are ordered by a ranker: with this strategy, weights change nothing.")
    live = ModelVersion.objects.filter(site=placement.site_id, status=ModelVersion.Status.LIVE).first()
    if live is None:
        return _("No version is live yet: weights change nothing until one is.")
    ranker = live.manifest.get("ranker") if isinstance(live.manifest, dict) else None
    objectives: dict[str, Any] = ranker.get("objectives", {}) if isinstance(ranker, dict) else {}
    if not objectives:
        return _("The live version has learnt none of these: its order stays as it is until the next training.")
    return " ".join(_sentence(name, objectives.get(name) or {}) for name in LEARNT)


def _sentence(name: str, entry: dict[str, Any]) -> str:
    title = Objective(name).label
    if entry.get("scores"):
        return _("%(title)s: learnt.") % {"title": title}
    return _("%(title)s: not yet, %(count)s of at least %(needed)s examples.") % {
        "title": title,
        "count": entry.get("positives", 0),
        "needed": MIN_POSITIVES,
    }
