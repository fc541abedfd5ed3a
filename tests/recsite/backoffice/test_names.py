"""Names that Django makes up are marked for translation, all of them and no others."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.utils import translation

from recommendations.models import Placement, Rule
from recsite.backoffice.names import OURS, UNFOLD, WORDS


def made_up_names() -> set[str]:
    """Return the names that Django made up for our models and their fields."""
    found: set[str] = set()
    for name in OURS:
        for model in apps.get_app_config(name).get_models():
            options: Any = model._meta
            given = options.original_attrs
            if "verbose_name" not in given:
                found.add(str(options.verbose_name))
            if "verbose_name_plural" not in given:
                found.add(str(options.verbose_name_plural))
            for field in (*options.fields, *options.many_to_many):
                if field._verbose_name is None:
                    found.add(field.name.replace("_", " "))
    return found


def test_every_name_that_is_made_up_is_marked_and_no_other() -> None:
    assert made_up_names() == WORDS


def test_names_and_choices_are_said_in_the_language_of_the_reader() -> None:
    options: Any = Rule._meta
    strategy: Any = Placement._meta.get_field("strategy")
    with translation.override("de"):
        assert str(options.verbose_name_plural) == "Regeln"
        assert str(Placement._meta.get_field("heading").verbose_name) == "Überschrift"
        assert str(dict(strategy.choices)["similar"]) == "Ähnliche Artikel"
        assert Placement(strategy="similar").get_strategy_display() == "Ähnliche Artikel"
    assert str(options.verbose_name_plural) == "rules"


def test_what_unfold_says_is_german_too() -> None:
    with translation.override("de"):
        assert {text for text in UNFOLD if translation.gettext(text) == text} <= {"System"}
