"""The options of an event log's URL, taken one by one; errors name the option, its value and the remedy."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlunsplit

from tracking.log.base import InvalidLogUrl

DEFAULT_TOPIC: Final = "recsite.events"
MAX_PARTITIONS: Final = 1_024
_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,200}")


@dataclass(slots=True)
class Options:
    """The query of a log URL, taken option by option; what is left over at the end is a mistake."""

    parts: SplitResult
    _left: dict[str, str] = field(init=False)
    _known: list[str] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        pairs = parse_qsl(self.parts.query, keep_blank_values=True)
        self._left = dict(pairs)
        if len(self._left) < len(pairs):
            raise InvalidLogUrl(f"event log URL {self.safe_url!r} gives an option twice; give each once")

    @property
    def safe_url(self) -> str:
        """The URL without its password, for messages."""
        return without_secrets(self.parts)

    def text(self, name: str, default: str) -> str:
        """Take an option as text."""
        self._known.append(name)
        value = self._left.pop(name, None)
        if value == "":
            raise InvalidLogUrl(f"event log URL {self.safe_url!r}: option {name} is empty; leave it out or fill it in")
        return default if value is None else value

    def choice(self, name: str, default: str, *, among: tuple[str, ...]) -> str:
        """Take an option that is one of a few words."""
        value = self.text(name, default)
        if value not in among:
            raise InvalidLogUrl(f"event log URL {self.safe_url!r}: {name}={value!r} is not one of {', '.join(among)}")
        return value

    def topic(self, name: str, default: str) -> str:
        """Take an option that is the name of a topic."""
        return check_topic(self.text(name, default), safe_url=self.safe_url)

    def integer(self, name: str, default: int, *, minimum: int, maximum: int) -> int:
        """Take an option as a whole number within its limits."""
        raw = self.text(name, str(default))
        if not raw.isdecimal() or not minimum <= int(raw) <= maximum:
            raise InvalidLogUrl(
                f"event log URL {self.safe_url!r}: {name}={raw!r} is not a whole number from {minimum} to {maximum}"
            )
        return int(raw)

    def refuse_the_rest(self) -> None:
        """Raise when an option is left that no reader takes."""
        if self._left:
            raise InvalidLogUrl(
                f"event log URL {self.safe_url!r} has an unknown option {next(iter(self._left))!r}; "
                f"known are {', '.join(sorted(self._known))}"
            )


def check_topic(topic: str, *, safe_url: str) -> str:
    """Return ``topic`` when Kafka would take it as a name."""
    if not _TOPIC.fullmatch(topic) or topic in {".", ".."}:
        raise InvalidLogUrl(
            f"event log URL {safe_url!r}: {topic!r} is not a topic name; "
            "use 1 to 200 letters, digits, dots, dashes and underscores"
        )
    return topic


def without_secrets(parts: SplitResult) -> str:
    """Return the URL with passwords blotted out."""
    account, at, hosts = parts.netloc.rpartition("@")
    user, colon, _ = account.partition(":")
    netloc = f"{user}:***@{hosts}" if colon else f"{account}{at}{hosts}"
    query = re.sub(r"(password=)[^&]*", r"\1***", parts.query)
    return urlunsplit(parts._replace(netloc=netloc, query=query))
