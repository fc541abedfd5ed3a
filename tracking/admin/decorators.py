"""unfold's decorators with types; it ships none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import unfold.decorators
from django.utils.translation import gettext

Method = TypeVar("Method", bound=Callable[..., Any])


class LabelColours(dict[str, str]):
    """Colours by words in English, found by the words of the reader's language."""

    def __contains__(self, words: object) -> bool:
        """Return whether words have a colour."""
        return any(words in (key, gettext(key)) for key in self)

    def __getitem__(self, words: str) -> str:
        """Return the colour of words."""
        return next(colour for key, colour in self.items() if words in (key, gettext(key)))


def action(**options: Any) -> Callable[[Method], Method]:
    """Make a method an action with a description, an icon and a path."""
    decorate: Callable[[Method], Method] = unfold.decorators.action(**options)
    return decorate


def display(**options: Any) -> Callable[[Method], Method]:
    """Make a method a column with a description, an order and coloured labels."""
    if isinstance(options.get("label"), dict):
        options["label"] = LabelColours(options["label"])
    decorate: Callable[[Method], Method] = unfold.decorators.display(**options)
    return decorate
