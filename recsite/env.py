"""Read typed values from environment variables; errors name the variable, the bad value and the remedy."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

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


def a_network(word: str) -> str:
    """Return an IP network or address as Python writes it; raises ``ValueError``."""
    try:
        return str(ipaddress.ip_network(word))
    except ValueError as error:
        raise ValueError(f"is not a network: {error}; write one such as 10.0.0.0/8") from None


class Env:
    """Typed reader of one mapping of environment variables."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = os.environ if values is None else values

    def string(self, name: str, default: str) -> str:
        """Return the variable, or ``default`` when it is unset or empty."""
        return self._values.get(name, "").strip() or default

    def optional(self, name: str) -> str | None:
        """Return the variable, or ``None`` when it is unset or empty."""
        return self._values.get(name, "").strip() or None

    def boolean(self, name: str, default: bool) -> bool:
        """Return True for 1/true/yes/on and False for 0/false/no/off."""
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

    def number(self, name: str, default: float, *, minimum: float | None = None) -> float:
        """Return a finite decimal number."""
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
        return value

    def words(
        self, name: str, default: tuple[str, ...], *, each: Callable[[str], str] | None = None
    ) -> tuple[str, ...]:
        """Return a comma-separated list, without blanks.

        Parameters
        ----------
        each : callable, optional
            Returns a word as it is to be used; raises ``ValueError`` with what is wrong and the remedy.
        """
        raw = self.optional(name)
        if raw is None:
            return default
        words = [word.strip() for word in raw.split(",") if word.strip()]
        if each is None:
            return tuple(words)
        checked = []
        for word in words:
            try:
                checked.append(each(word))
            except ValueError as error:
                raise ImproperlyConfigured(f"{name}: {word!r} {error}") from None
        return tuple(checked)

    def url(self, name: str, default: str | None, *, schemes: tuple[str, ...]) -> str | None:
        """Return a URL whose scheme is one of ``schemes``."""
        raw = self.optional(name)
        if raw is None:
            return default
        if urlsplit(raw).scheme not in schemes:
            raise ImproperlyConfigured(f"{name}={raw!r} must start with one of {', '.join(s + '://' for s in schemes)}")
        return raw

    def secret(self, name: str) -> str | None:
        """Return a secret from ``NAME`` or from the file that ``NAME_FILE`` names (container secrets)."""
        path = self.optional(f"{name}_FILE")
        if path is None:
            return self.optional(name)
        try:
            with open(path, encoding="utf-8") as handle:
                return handle.read().strip() or None
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE={path!r} cannot be read: {error.strerror}") from error
