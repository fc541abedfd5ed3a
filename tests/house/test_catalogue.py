"""The catalogues are whole, in step with the sources, and compiled: what is in ``locale/`` is what people read."""

from __future__ import annotations

import ast
import io
from collections.abc import Sequence

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import read_mo
from django.conf import settings
from django.utils import translation

from tests.house import catalogue
from tests.house.catalogue import Text, compiled, in_step, languages, marked_texts, problems, written

NEXT = "run `make messages` and translate what it names"


@pytest.fixture(scope="module")
def texts() -> dict[Text, list[str]]:
    return marked_texts()


def test_there_is_a_catalogue_of_every_language_that_staff_can_choose() -> None:
    assert languages() == sorted(code for code, _ in settings.LANGUAGES if code != "en")


@pytest.mark.slow
@pytest.mark.parametrize("language", languages())
def test_every_marked_text_is_translated_with_the_same_placeholders(
    language: str, texts: dict[Text, list[str]]
) -> None:
    assert list(problems(catalogue.catalogue(language), texts)) == [], NEXT


@pytest.mark.parametrize("language", languages())
def test_processes_read_what_translators_wrote(language: str) -> None:
    said = texts_of(catalogue.catalogue(language))
    compiled_file = catalogue.LOCALE / language / "LC_MESSAGES" / "django.mo"
    with compiled_file.open("rb") as file:
        assert texts_of(read_mo(file)) == said, NEXT


def texts_of(found: Catalog) -> dict[Text, Text]:
    """Return each text with its translation; texts with a plural are pairs, which a reader may give as lists."""
    return {_plain(message.id): _plain(message.string) for message in found if message.id}


def _plain(text: str | Sequence[str]) -> Text:
    return text if isinstance(text, str) else (text[0], text[1])


@pytest.mark.parametrize("language", languages())
def test_bringing_a_catalogue_in_step_twice_changes_nothing(language: str, texts: dict[Text, list[str]]) -> None:
    path = catalogue.LOCALE / language / "LC_MESSAGES" / "django.po"
    assert written(in_step(catalogue.catalogue(language), texts)) == path.read_bytes(), NEXT


def test_what_is_wrong_with_a_catalogue_is_found() -> None:
    broken = Catalog(locale="de")
    broken.add("%(n)s rules", "%(count)s Regeln")
    broken.add("Open", "")
    broken.add("Gone", "Weg")
    broken.add("Fuzzy", "Unklar", flags=["fuzzy"])
    broken.add(("%(n)s item", "%(n)s items"), ("ein Artikel", "%(n)s Artikel"))
    broken.add(("one", "%(n)s more"), ("eins", "%(n)s mehr"))
    wanted: dict[Text, list[str]] = {
        "%(n)s rules": [], "Open": [], "New": [], "Fuzzy": [], ("%(n)s item", "%(n)s items"): [],
        ("one", "%(n)s more"): [],
    }  # fmt: skip

    found = sorted(problem.partition(":")[0] for problem in problems(broken, wanted))

    assert found == [
        "in no source any more", "not in the catalogue", "not translated", "not translated",
        "placeholders differ", "placeholders differ",
    ]  # fmt: skip


def test_what_is_translated_is_kept_and_what_is_gone_is_dropped() -> None:
    old = Catalog(locale="de")
    old.add("Rules", "Regeln")
    old.add("Gone", "Weg")
    new = in_step(old, {"Rules": ["a.py"], "New": ["b.py"]})
    assert {message.id: message.string for message in new if message.id} == {"Rules": "Regeln", "New": ""}
    assert {message.id: message.string for message in read_mo(io.BytesIO(compiled(new))) if message.id} == {
        "Rules": "Regeln"
    }


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('_("a")', ["a"]),
        ('gettext_lazy("a " "b")', ["a b"]),
        ('words.gettext_noop("a")', ["a"]),
        ('ngettext("one", "many", n)', [("one", "many")]),
        ('_(name) or other("b")', []),
    ],
)
def test_marked_texts_of_python_are_found(source: str, found: list[Text]) -> None:
    assert list(catalogue._texts(ast.parse(source))) == found


def test_german_has_its_own_words_and_forms() -> None:
    with translation.override("de"):
        assert translation.gettext("Placements") == "Platzierungen"
        said = [translation.ngettext("%(count)s order", "%(count)s orders", n) % {"count": n} for n in (1, 2)]
    assert said == ["1 Bestellung", "2 Bestellungen"]
