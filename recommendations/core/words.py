"""Names that are stored and sent, declared together with the words that screens show for them."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Worded(StrEnum):
    """A name and its words: ``EXCLUDE = "exclude", "Never show"``.

    Attributes
    ----------
    label : str
        What forms, screens and documents say; merchandisers never read the name itself.
    """

    label: str

    def __new__(cls, name: str, label: str = "") -> Self:
        """Return the member of this name, with its words; only looking one up by its name leaves them out."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.label = label
        return member

    @classmethod
    def choices(cls) -> list[tuple[str, str]]:
        """Return name and words of every member, as fields of models and forms take them."""
        return [(member.value, member.label) for member in cls]
