"""Words of screens within sentences."""

from __future__ import annotations

from django import template
from django.utils.translation import get_language

register = template.Library()

NOUNS_ARE_CAPITALISED = ("de",)
"""Languages in which a noun keeps its capital wherever it stands."""


@register.filter
def in_sentence(words: object) -> str:
    """Return a title as it stands within a sentence: with a small first letter, where the language writes it so."""
    text = str(words)
    return text if (get_language() or "")[:2] in NOUNS_ARE_CAPITALISED else text[:1].lower() + text[1:]
