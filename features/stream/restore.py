"""Shoppers who come back after Redis forgot them: asked for once, and answered when the database has looked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from features.state.apply import Past
from features.state.batch import User

MAX_ASKED: Final = 50_000


class ProfileSource(Protocol):
    """What knows profiles that Redis has forgotten; see ``profiles.ProfileArchive``."""

    def start(self) -> None:
        """Begin to answer."""

    def close(self) -> None:
        """Stop answering."""

    def may_know(self, site: str) -> bool:
        """Whether it may know a user of the site that Redis does not; never blocks."""

    def ask(self, users: Iterable[User]) -> None:
        """Ask for users; never blocks."""

    def answers(self) -> dict[User, bytes | None]:
        """Return what was found since the last call."""


class NoProfiles:
    """A source that knows nobody: whom Redis has forgotten is new."""

    def start(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def may_know(self, site: str) -> bool:
        """Return that it does not."""
        return False

    def ask(self, users: Iterable[User]) -> None:
        """Forget the question."""

    def answers(self) -> dict[User, bytes | None]:
        """Return nothing."""
        return {}


class Returning:
    """Which partition asked for whom."""

    def __init__(self, profiles: ProfileSource) -> None:
        self._profiles = profiles
        self._asked: dict[User, int] = {}

    def ask(self, partition: int, users: Sequence[User]) -> None:
        """Ask for users of a partition; what is too much now is asked when they come again."""
        if users and len(self._asked) < MAX_ASKED:
            self._asked.update((user, partition) for user in users)
            self._profiles.ask(users)

    def answers(self) -> dict[int, dict[User, Past]]:
        """Return the answers since the last call, by partition."""
        found: dict[int, dict[User, Past]] = {}
        if self._asked:
            for user, blob in self._profiles.answers().items():
                partition = self._asked.pop(user, None)
                if partition is not None:
                    found.setdefault(partition, {})[user] = Past(blob)
        return found
