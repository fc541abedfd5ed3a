"""Names that are stored and sent, declared with the words that screens show, and sentences in the reader's language.

What is pure imports no framework, so the one that serves the screens lends its tongue: ``use`` is called once as the
process starts. Without it, and wherever no language was chosen (replies of the API, logs), the words are English.
Texts are marked by the names that extractors know: ``gettext``, ``ngettext``, ``gettext_noop``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from recommendations.core.local_times import WRITTEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Tongue:
    """How texts, numbers and moments are said; the defaults are English.

    Attributes
    ----------
    gettext : callable of text
        The text in the reader's language.
    ngettext : callable of one, many, count
        The form of a text that goes with a count.
    number : callable of a number and its decimals
        With the separators of the language.
    moment : callable of an aware time
        The clock that its own zone shows, with the zone's short name.
    """

    gettext: Callable[[str], str] = str
    ngettext: Callable[[str, str, int], str] = lambda one, many, count: one if count == 1 else many
    number: Callable[[float, int], str] = lambda value, decimals: f"{value:,.{decimals}f}"
    moment: Callable[[dt.datetime], str] = lambda at: f"{at:{WRITTEN} %Z}"


_SPOKEN: list[Tongue] = [Tongue()]


def use(tongue: Tongue) -> None:
    """Say everything by this tongue from now on."""
    _SPOKEN[0] = tongue


def gettext(text: str) -> str:
    """Return a text in the reader's language."""
    return _SPOKEN[0].gettext(text) if text else ""


def ngettext(one: str, many: str, count: int) -> str:
    """Return the form of a text that goes with a count, in the reader's language."""
    return _SPOKEN[0].ngettext(one, many, count)


def told(text: str, values: Mapping[str, str], *, otherwise: str) -> str:
    """Return a sentence that was stored as it is marked, with its values, in the language of who reads it now.

    Parameters
    ----------
    otherwise : str
        The sentence in English, for one that was stored without its text, or whose values do not fit it.
    """
    try:
        return gettext(text) % values if text else otherwise
    except (KeyError, ValueError):
        return otherwise


def gettext_noop(text: str) -> str:
    """Mark a text for translation and return it as it is; it is said later."""
    return text


def number(value: float, decimals: int = 0) -> str:
    """Return a number with the separators of the reader's language."""
    return _SPOKEN[0].number(value, decimals)


def moment(at: dt.datetime) -> str:
    """Return an aware moment as people of its zone and of the reader's language write it."""
    return _SPOKEN[0].moment(at)


def first_of(names: Sequence[str], *, most: int = 3) -> str:
    """Return the first few names, and how many more there are."""
    if len(names) <= most:
        return ", ".join(names)
    return gettext("%(names)s and %(count)s more") % {
        "names": ", ".join(names[:most]), "count": number(len(names) - most),
    }  # fmt: skip


def one_of(names: Sequence[str]) -> str:
    """Return alternatives, such as "a, b or c"."""
    if len(names) < 2:
        return "".join(names)
    return gettext("%(names)s or %(last)s") % {"names": ", ".join(names[:-1]), "last": names[-1]}


def all_of(names: Sequence[str]) -> str:
    """Return what holds together, such as "a, b and c"."""
    if len(names) < 2:
        return "".join(names)
    return gettext("%(names)s and %(last)s") % {"names": ", ".join(names[:-1]), "last": names[-1]}


class Worded(StrEnum):
    """A name and its words: ``EXCLUDE = "exclude", gettext_noop("Never show")``.

    Attributes
    ----------
    words : str
        What forms, screens and documents say, in English; merchandisers never read the name itself.
    """

    words: str

    def __new__(cls, name: str, words: str = "") -> Self:
        """Return the member of this name, with its words; only looking one up by its name leaves them out."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.words = words
        return member

    @property
    def label(self) -> str:
        """The words in the reader's language."""
        return gettext(self.words)

    @classmethod
    def choices(cls) -> list[tuple[str, str]]:
        """Return name and words of every member, in the reader's language, as fields of forms take them."""
        return [(member.value, member.label) for member in cls]
