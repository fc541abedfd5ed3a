"""The snippets that a shop puts into its pages."""

from __future__ import annotations

from typing import Final

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from tracking.access.sites import live_keys
from tracking.models import Site
from tracking.sdk.files import current_file

STUB: Final = mark_safe("<script>window.rec=window.rec||function(){(rec.q=rec.q||[]).push(arguments)}</script>")
"""Keeps calls that come before the script is there; it runs them in order."""


class NothingToEmbed(LookupError):
    """The site has no publishable key, or the browser files were not built."""


def publishable_key(site: Site) -> str:
    """Return the value of the site's newest live publishable key.

    Raises
    ------
    NothingToEmbed
        There is none.
    """
    key = live_keys(site, "pk").first()
    if key is None:
        raise NothingToEmbed(f"site {site.slug!r} has no live publishable key; add one in the admin")
    return str(key.public_value)


def script_tag(site: Site, *, host: str = "", is_pinned: bool = False, reads_layer: bool = False) -> SafeString:
    """Return the script tag of a site; pinned, it names one exact version and its integrity.

    Parameters
    ----------
    site : Site
        Whose publishable key the tag carries.
    host : str
        Where Recsite runs, as in ``https://rec.shop.example``; empty: where the page itself comes from.
    is_pinned : bool
        A pinned page runs these very bytes or none, and gets no update by itself.
    reads_layer : bool
        The tag has ``data-datalayer``; a pinned one brings a link that holds the reader to its integrity, too.

    Raises
    ------
    NothingToEmbed
        There is no key or no built file.
    """
    file, reader = current_file("rec.js"), current_file("datalayer.js")
    if file is None or reader is None:
        raise NothingToEmbed("rec.js was not built; run `npm run build` in sdk/")
    key = publishable_key(site)
    attribute = mark_safe(" data-datalayer") if reads_layer else ""
    if not is_pinned:
        return format_html('<script async src="{}{}" data-key="{}"{}></script>', host, file.path, key, attribute)
    tag = format_html(
        '<script async src="{}{}" integrity="{}" crossorigin="anonymous" data-key="{}"{}></script>',
        host, file.immutable_path, file.integrity, key, attribute,
    )  # fmt: skip
    if not reads_layer:
        return tag
    # The script imports the reader, and a module's integrity is that of the link which loaded it first.
    return format_html(
        '<link rel="modulepreload" href="{}{}" integrity="{}" crossorigin="anonymous">{}',
        host, reader.immutable_path, reader.integrity, tag,
    )  # fmt: skip
