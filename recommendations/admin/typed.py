"""Lists as merchandisers type and paste them, in the catalogue's own spelling."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from recommendations.core.pasted import split_ids, split_names
from recommendations.lint.vocabulary import Vocabulary, vocabulary_of
from recommendations.state.site import watch_site
from tracking.models import Site

ATTRIBUTES: Final = {"items": "item_id", "categories": "category", "brands": "brand", "tags": "tags"}
"""Kinds of lists, by the attribute whose values they hold."""


def vocabulary(site: Site) -> Vocabulary:
    """Return the names that the site's catalogue knows now."""
    return vocabulary_of(watch_site(site.slug).ensure_loaded().item_index)


def understood(kind: str, lines: Iterable[str], site: Site | None) -> list[str]:
    """Return the entries of a list, however they were separated; known ones as the catalogue spells them, each once.

    Parameters
    ----------
    kind : str
        One of ``ATTRIBUTES``.
    """
    text = "\n".join(lines)
    if site is None:
        return split_ids(text) if kind == "items" else split_names(text)
    known = vocabulary(site)
    if kind == "items":
        ids = split_ids(text, is_known=lambda name: known.item(name) is not None)
        return list(dict.fromkeys(known.item(each) or each for each in ids))
    attribute = ATTRIBUTES[kind]
    names = split_names(text, is_known=lambda name: known.spelling(attribute, name) is not None)
    if kind == "tags":  # of which the catalogue keeps no spelling
        return names
    return list(dict.fromkeys(known.spelling(attribute, each) or each for each in names))
