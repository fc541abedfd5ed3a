"""unfold's decorators with types; it ships none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import unfold.decorators

Method = TypeVar("Method", bound=Callable[..., Any])


def action(**options: Any) -> Callable[[Method], Method]:
    """Make a method an action with a description, an icon and a path."""
    decorate: Callable[[Method], Method] = unfold.decorators.action(**options)
    return decorate


def display(**options: Any) -> Callable[[Method], Method]:
    """Make a method a column with a description, an order and coloured labels."""
    decorate: Callable[[Method], Method] = unfold.decorators.display(**options)
    return decorate
