"""Names of a site's own sources: each means one thing."""

from __future__ import annotations

from typing import Any, Final

from django.utils.translation import gettext as _

from recommendations.models import HttpSource
from recommendations.retrieval.sources import NAMES_TAKEN
from tracking.models import Site

OWN: Final = (HttpSource,)
"""The models that declare a source of a site's own."""


def taken_by(instance: Any, cleaned: dict[str, Any]) -> str | None:
    """Return why a source of a form may not bear its name; None where it may."""
    name = cleaned.get("name") or instance.name
    site = cleaned.get("site") or getattr(instance, "site", None)
    if name in NAMES_TAKEN:
        return _("“%(name)s” is a source or a reason that every site has; choose another name.") % {"name": name}
    for model in OWN:
        rows = model.objects.filter(site=site, name=name) if site is not None else model.objects.none()
        if isinstance(instance, model):
            rows = rows.exclude(pk=instance.pk)
        if rows.exists():
            return _("“%(name)s” is another source of this site; choose another name.") % {"name": name}
    return None


def own_names(site: Site | None) -> set[str]:
    """Return the names of the sources that a site declares, those that are switched off, too."""
    if site is None:
        return set()
    return {name for model in OWN for name in model.objects.filter(site=site).values_list("name", flat=True)}
