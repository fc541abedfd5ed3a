"""Names of a site's own sources: each means one thing."""

from __future__ import annotations

from typing import Any, Final

from django.utils.translation import gettext as _

from recommendations.models import HttpSource, Leaderboard, Placement
from recommendations.retrieval.sources import NAMES_TAKEN
from recommendations.state.placements import ADDED
from recommendations.versions.own_models import installed_models
from tracking.models import Site

OWN: Final = (HttpSource, Leaderboard)
"""The models that declare a source of a site's own."""


def taken_by(instance: Any, cleaned: dict[str, Any]) -> str | None:
    """Return why a source of a form may not bear its name; None where it may."""
    name = cleaned.get("name") or instance.name
    site = cleaned.get("site") or getattr(instance, "site", None)
    if name in NAMES_TAKEN:
        return _("“%(name)s” is a source or a reason that every site has; choose another name.") % {"name": name}
    for model in OWN if site is not None else ():
        rows = model._default_manager.filter(site=site, name=name)
        if isinstance(instance, model):
            rows = rows.exclude(pk=instance.pk)
        if rows.exists():
            return _("“%(name)s” is another source of this site; choose another name.") % {"name": name}
    if site is not None and name in installed_models(site.slug):
        return _("“%(name)s” is a model of this site's own; choose another name.") % {"name": name}
    return None


def placements_with(site_id: int, name: str) -> list[Placement]:
    """Return the placements of a site that name a source, in its own right or beside others."""
    names = {name, f"{ADDED}{name}"}
    return [row for row in Placement.objects.filter(site_id=site_id).order_by("name") if names & set(row.sources)]


def own_names(site: Site | None) -> set[str]:
    """Return the names of the sources that a site declares, those that are switched off, too."""
    if site is None:
        return set()
    declared = {
        name for model in OWN for name in model._default_manager.filter(site=site).values_list("name", flat=True)
    }
    return declared | set(installed_models(site.slug))
