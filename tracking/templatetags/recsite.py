"""``{% load recsite %}{% rec_script site %}``: the script tag that a page of a Django shop needs."""

from __future__ import annotations

from django import template
from django.utils.safestring import SafeString

from tracking.models import Site
from tracking.sdk.embedding import script_tag

register = template.Library()


@register.simple_tag
def rec_script(site: Site | str, host: str = "", pinned: bool = False, datalayer: bool = False) -> SafeString:
    """Return the script tag of a site, given itself or by its slug.

    ``pinned=True`` adds version and integrity, ``datalayer=True`` reads the page's data layer.
    """
    if isinstance(site, str):
        site = Site.objects.get(slug=site)
    return script_tag(site, host=host, is_pinned=pinned, reads_layer=datalayer)
