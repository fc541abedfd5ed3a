"""Titles within sentences, in each language."""

from __future__ import annotations

from django.utils.translation import override

from tracking.templatetags.sentences import in_sentence


def test_a_title_is_small_within_a_sentence_but_nouns_of_german_are_not() -> None:
    with override("en"):
        assert in_sentence("Model version") == "model version"
    with override("de"):
        assert in_sentence("Platzierung") == "Platzierung"
    with override(None):
        assert in_sentence("") == ""
