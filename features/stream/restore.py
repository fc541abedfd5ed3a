"""Users who return after Redis forgot them: asked for once, and answered when the database has looked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from features.state.apply import Past
from features.state.batch import User

MAX_REQUESTED: Final = 50_000


class ProfileSource(Protocol):
    """What knows profiles that Redis has forgotten; see ``profiles.ProfileArchive``."""

    def start(self) -> None:
        """Begin to answer."""

    def close(self) -> None:
        """Stop answering."""

    def may_know(self, site: str) -> bool:
        """Whether it may know a user of the site that Redis does not; never blocks."""

    def request(self, users: Iterable[User]) -> None:
        """Request users; never blocks."""

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

    def request(self, users: Iterable[User]) -> None:
        """Forget the request."""

    def answers(self) -> dict[User, bytes | None]:
        """Return nothing."""
        return {}


class ProfileRestore:
    """Which partition requested whom."""

    def __init__(self, profiles: ProfileSource) -> None:
        self._profiles = profiles
        self._requested: dict[User, int] = {}

    def request(self, partition: int, users: Sequence[User]) -> None:
        """Request the profiles of users of a partition; what is too much now is requested when they come again."""
        if users and len(self._requested) < MAX_REQUESTED:
            self._requested.update((user, partition) for user in users)
            self._profiles.request(users)

    def answers(self) -> dict[int, dict[User, Past]]:
        """Return the answers since the last call, by partition."""
        found: dict[int, dict[User, Past]] = {}
        if self._requested:
            for user, blob in self._profiles.answers().items():
                partition = self._requested.pop(user, None)
                if partition is not None:
                    found.setdefault(partition, {})[user] = Past(blob)
        return found
