"""Which site a management command is for: ``--site`` with a slug, and an error that names the sites there are."""

from __future__ import annotations

from collections.abc import Sequence

from django.core.management.base import CommandError

from tracking.models import Site


def site_named(slug: str | None) -> Site:
    """Return the site of ``--site``, or the only one where the option was left out.

    Raises
    ------
    CommandError
        There is no such site, or there is more than one to choose from; says which there are.
    """
    if slug is None:
        found = list(Site.objects.all()[:2])
        if len(found) != 1:
            raise CommandError(f"name a site with --site; there are: {_known()}")
        return found[0]
    return sites_named([slug])[0]


def sites_named(slugs: Sequence[str] | None) -> list[Site]:
    """Return the sites of one or several ``--site``, in that order; all sites where the option was left out.

    Raises
    ------
    CommandError
        One of them does not exist; says which there are.
    """
    if not slugs:
        return list(Site.objects.order_by("pk"))
    found = Site.objects.in_bulk(slugs, field_name="slug")
    for slug in slugs:
        if slug not in found:
            raise CommandError(f"--site={slug!r} is unknown; there are: {_known()}")
    return [found[slug] for slug in slugs]


def _known() -> str:
    return ", ".join(Site.objects.order_by("slug").values_list("slug", flat=True)) or "none"
