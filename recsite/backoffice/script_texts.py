"""What scripts of the console write into open pages, in the reader's language.

Scripts call ``gettext``, ``ngettext`` and ``interpolate`` of Django's catalogue for scripts, which each page with such
a script loads before it; this list is that catalogue. A test compares it with the scripts, in both directions.
"""

from __future__ import annotations

from typing import Any, Final

from django.utils.translation import gettext, gettext_noop, ngettext
from django.views.i18n import JavaScriptCatalog

TEXTS: Final = (
    # tracking/live.js
    gettext_noop("%(path)s: %(value)s was dropped (%(done)s); %(remedy)s"),
    gettext_noop("%(path)s: %(value)s was taken as %(became)s (%(done)s); %(remedy)s"),
    gettext_noop("Paused"),
    gettext_noop("%(shown)s of %(all)s events"),
    gettext_noop("No event matches the filter."),
    gettext_noop("No event in the past hour. Open a page of the shop that has the snippet."),
    gettext_noop("The server does not answer; trying again."),
    gettext_noop("Go on"),
    gettext_noop("Pause"),
    # tracking/copy.js
    gettext_noop("Copied"),
    gettext_noop("Selected"),
    gettext_noop("Copy"),
    # tracking/embed.js
    gettext_noop("No event yet. Open a page of the shop with the snippet; this line changes by itself."),
    gettext_noop("Redis does not answer, so arriving events cannot be shown here; they are still collected."),
    gettext_noop("✓ We have seen your first event (%(at)s)."),
    gettext_noop("The newest: %(name)s, %(time)s."),
    gettext_noop("Done:"),
    gettext_noop("Waiting:"),
    gettext_noop("To do:"),
    gettext_noop("Live updates"),
    gettext_noop("Trying a WebSocket…"),
    gettext_noop("A WebSocket to this server opens."),
    gettext_noop(
        "Let the proxy pass Upgrade and Connection for /v1/live, as deploy/nginx does. Lists work without it."
    ),
    gettext_noop("No WebSocket to this server opens."),
    gettext_noop("Counts"),
    # recommendations/suggest.js
    gettext_noop("Search %(title)s"),
    gettext_noop("Found for %(title)s"),
    gettext_noop("Nothing in the catalogue has that name."),
    gettext_noop("Cannot search just now (%(error)s); type below."),
    gettext_noop("%(value)s: not in the catalogue; did you mean %(near)s?"),
    gettext_noop("%(value)s: not in the catalogue; check the spelling"),
    # recommendations/draft.js
    gettext_noop("Strength"),
    gettext_noop("What you had typed was kept."),
    gettext_noop("Drop it"),
    # recommendations/check.js
    gettext_noop("Cannot be checked just now (%(error)s). It is checked again when you publish."),
)


def counted_texts() -> dict[str, list[str]]:
    """Return the forms of each text that goes with a count, by its form for one: first for one, then for many."""
    # tracking/live.js
    forms = [ngettext("%(n)s value mended", "%(n)s values mended", count) for count in (1, 2)]
    return {"%(n)s value mended": forms}


class ScriptCatalog(JavaScriptCatalog):
    """Django's texts for scripts of its admin, and ours."""

    packages = ["django.contrib.admin"]

    def get_catalog(self) -> dict[str, Any]:
        """Return translations by English text, those of one language at a time."""
        known: dict[str, Any] = super().get_catalog()
        return {**known, **{text: gettext(text) for text in TEXTS}, **counted_texts()}
