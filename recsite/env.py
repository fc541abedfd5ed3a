"""Read typed values from environment variables; errors name the variable, the bad value and the remedy."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off", ""})


def read_env_file(path: Path) -> dict[str, str]:
    """Return the ``NAME=value`` lines of ``path``; empty when there is no such file."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    values: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise ImproperlyConfigured(f"{path}, line {number}: {text!r} is not NAME=value")
        values[name] = value
    return values


Check = Callable[[str], str]
"""Returns a value as it is to be used; raises ``ValueError`` with what is wrong and the remedy (``recsite.valid``)."""


class Env:
    """Typed reader of one mapping of environment variables, which remembers the names that it was asked for."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = os.environ if values is None else values
        self.names: set[str] = set()

    def string(self, name: str, default: str, *, each: Check | None = None) -> str:
        """Return the variable, or ``default`` when it is unset or empty; ``each`` checks either."""
        value = self._raw(name).strip() or default
        return value if each is None else self._checked(name, value, each)

    def optional(self, name: str, *, each: Check | None = None) -> str | None:
        """Return the variable, or ``None`` when it is unset or empty."""
        value = self._raw(name).strip() or None
        return value if value is None or each is None else self._checked(name, value, each)

    def boolean(self, name: str, default: bool) -> bool:
        """Return True for 1/true/yes/on and False for 0/false/no/off."""
        self.names.add(name)
        raw = self._values.get(name)
        if raw is None:
            return default
        word = raw.strip().lower()
        if word in TRUE_WORDS:
            return True
        if word in FALSE_WORDS:
            return False
        raise ImproperlyConfigured(f"{name}={raw!r} is not a yes or a no; use 1 or 0")

    def integer(self, name: str, default: int, *, minimum: int | None = None, maximum: int | None = None) -> int:
        """Return a whole number within the stated limits."""
        raw = self.optional(name)
        if raw is None:
            return default
        try:
            value = int(raw)
        except ValueError:
            raise ImproperlyConfigured(f"{name}={raw!r} is not a whole number") from None
        if minimum is not None and value < minimum:
            raise ImproperlyConfigured(f"{name}={raw!r} is too small; the least is {minimum}")
        if maximum is not None and value > maximum:
            raise ImproperlyConfigured(f"{name}={raw!r} is too large; the most is {maximum}")
        return value

    def number(self, name: str, default: float, *, minimum: float | None = None, maximum: float | None = None) -> float:
        """Return a finite decimal number within the stated limits."""
        raw = self.optional(name)
        if raw is None:
            return default
        try:
            value = float(raw)
        except ValueError:
            raise ImproperlyConfigured(f"{name}={raw!r} is not a number") from None
        if value != value or value in (float("inf"), float("-inf")):
            raise ImproperlyConfigured(f"{name}={raw!r} is not a finite number")
        if minimum is not None and value < minimum:
            raise ImproperlyConfigured(f"{name}={raw!r} is too small; the least is {minimum}")
        if maximum is not None and value > maximum:
            raise ImproperlyConfigured(f"{name}={raw!r} is too large; the most is {maximum}")
        return value

    def words(self, name: str, default: tuple[str, ...], *, each: Check | None = None) -> tuple[str, ...]:
        """Return a comma-separated list, without blanks; ``each`` checks every word."""
        raw = self.optional(name)
        if raw is None:
            return default
        words = [word.strip() for word in raw.split(",") if word.strip()]
        return tuple(words if each is None else [self._checked(name, word, each) for word in words])

    def url(self, name: str, default: str | None, *, schemes: tuple[str, ...], each: Check | None = None) -> str | None:
        """Return a URL whose scheme is one of ``schemes``; messages leave its password out."""
        raw = self.optional(name)
        if raw is None:
            return default
        if raw.partition("://")[0] not in schemes:
            raise ImproperlyConfigured(
                f"{name}={without_password(raw)!r} must start with one of {', '.join(s + '://' for s in schemes)}"
            )
        return raw if each is None else self._checked(name, raw, each)

    def secret(self, name: str, *, each: Check | None = None) -> str | None:
        """Return a secret from ``NAME`` or from the file that ``NAME_FILE`` names (container secrets).

        Messages never hold it.
        """
        path = self.optional(f"{name}_FILE")
        value = self.optional(name)
        if path is not None:
            try:
                with open(path, encoding="utf-8") as handle:
                    value = handle.read().strip() or None
            except (OSError, UnicodeDecodeError) as error:
                reason = getattr(error, "strerror", None) or "it is not text"
                raise ImproperlyConfigured(f"{name}_FILE={path!r} cannot be read: {reason}") from error
        if value is None or each is None:
            return value
        try:
            return each(value)
        except ValueError as error:
            raise ImproperlyConfigured(f"{name} {error}") from None

    def unknown(self, *, prefixes: tuple[str, ...], others: frozenset[str] = frozenset()) -> dict[str, str]:
        """Return names that begin like ours and that nobody asked for, each with the nearest that is, or an empty text.

        Parameters
        ----------
        others : frozenset of str
            Names that something else than these settings reads.
        """
        strange = sorted(name for name in self._values if name.startswith(prefixes) and name not in self.names | others)
        return {name: next(iter(get_close_matches(name, sorted(self.names), 1, 0.6)), "") for name in strange}

    def _raw(self, name: str) -> str:
        self.names.add(name)
        return self._values.get(name, "")

    def _checked(self, name: str, value: str, each: Check) -> str:
        try:
            return each(value)
        except ValueError as error:
            raise ImproperlyConfigured(f"{name}={without_password(value)!r} {error}") from None


def without_password(text: str) -> str:
    """Return a value as it may be shown: what stands before the ``@`` of a URL is nobody's business."""
    return re.sub(r"(?<=://)[^/@]*@", "…@", text)
