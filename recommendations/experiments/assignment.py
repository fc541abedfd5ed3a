"""Pure: who is in which arm. The same user is in the same arm every time, on every process, without any storage.

Three independent draws, each a hash of the site, a salt and the user key: where the user stands in the exclusion
group, whether it is within the share that takes part, and the arm. So a share that grows takes new users in and
moves nobody, and two experiments of one group have no user in common.

An anonymous user who logs in has another key. Whoever saw an arm keeps it: the profile remembers it, also that of
the anonymous id that comes with the request, and of all keys the earliest counts. On a new device without a login it is
drawn again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from recommendations.core.objectives import Weights
from recommendations.core.types import RequestUser
from recommendations.core.visit import Visit, matches_locale

_ALL: Final = 2.0**64
WITHOUT, WITH = 0, 1
"""The arms of a hold-out: those who are kept without, and everybody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What an arm sets otherwise than the placement; None, or empty, stays as it is."""

    heading: str = ""
    layout: str = ""
    strategy: str = ""
    model: str = ""
    size: int | None = None
    diversity: float | None = None
    objectives: Weights | None = None
    rules_off: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Who may take part; an empty tuple is anybody."""

    segments: tuple[str, ...] = ()
    visitors: str = "all"
    devices: tuple[str, ...] = ()
    locales: tuple[str, ...] = ()

    def has(self, user: RequestUser, visit: Visit) -> bool:
        """Return whether a user on a page belongs to it."""
        if self.visitors != "all" and user.is_returning != (self.visitors == "returning"):
            return False
        if self.segments and user.segments.isdisjoint(self.segments):
            return False
        if self.devices and visit.device not in self.devices:
            return False
        return not self.locales or matches_locale(self.locales, visit.locale)


ANYBODY: Final = Audience()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningExperiment:
    """An experiment as it is served.

    Attributes
    ----------
    name : str
        Under which it is counted.
    placements : frozenset of str
        Where the arms differ.
    group, group_start, group_share : str, int, int
        The exclusion group, and which part of it is this experiment's, in per cent.
    share : float
        Of those in the group's part, how many take part, in per cent.
    weights : tuple of int
        Of the arms.
    """

    name: str
    salt: str
    placements: frozenset[str]
    weights: tuple[int, ...]
    changes: tuple[Changes, ...]
    share: float = 100.0
    group: str = ""
    group_start: int = 0
    group_share: int = 100
    audience: Audience = ANYBODY

    def arm_of(self, site: str, user_key: str, *, seen: Mapping[str, tuple[int, int]] | None = None) -> int | None:
        """Return the arm of a user, None for one who takes no part.

        Parameters
        ----------
        seen : mapping of str to (int, int), optional
            What the user saw already: experiment → time of the first exposure, arm.
        """
        if seen and (known := seen.get(self.name)) is not None and known[1] < len(self.weights):
            return known[1]
        if self.group:
            standing = 100.0 * position(site, "group", self.group, user_key)
            if not self.group_start <= standing < self.group_start + self.group_share:
                return None
        if 100.0 * position(site, "share", self.salt, user_key) >= self.share:
            return None
        return chosen(self.weights, position(site, "arm", self.salt, user_key))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningHoldOut:
    """A hold-out as it is served; without ``rules`` it keeps every personal list and every rule away."""

    name: str
    salt: str
    percent: float
    rules: frozenset[int] = frozenset()

    def arm_of(self, site: str, user_key: str, *, seen: Mapping[str, tuple[int, int]] | None = None) -> int:
        """Return ``WITHOUT`` for those who are kept without, else ``WITH``."""
        if seen and (known := seen.get(self.name)) is not None:
            return known[1]
        return WITHOUT if 100.0 * position(site, "arm", self.salt, user_key) < self.percent else WITH


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Everything that runs on a site."""

    experiments: tuple[RunningExperiment, ...] = ()
    hold_outs: tuple[RunningHoldOut, ...] = ()
    whole_site: RunningHoldOut | None = None
    by_placement: Mapping[str, tuple[RunningExperiment, ...]] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """Under which the experiments are counted, hold-outs left out."""
        return frozenset(experiment.name for experiment in self.experiments)

    @property
    def is_empty(self) -> bool:
        """Whether nothing runs, so that a request is done at once."""
        return not self.experiments and not self.hold_outs and self.whole_site is None


def position(*parts: str) -> float:
    """Return where a name stands between 0 and 1, evenly spread and independent for different parts."""
    digest = hashlib.blake2b("\0".join(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / _ALL


def chosen(weights: Sequence[int], at: float) -> int:
    """Return which of the weights a position between 0 and 1 falls on."""
    left = at * sum(weights)
    for number, weight in enumerate(weights):
        left -= weight
        if left < 0:
            return number
    return len(weights) - 1


def free_start(taken: Sequence[tuple[int, int]], share: int) -> int | None:
    """Return where a part of so many per cent fits into an exclusion group, None where there is no room."""
    start = 0
    for begin, end in sorted(taken):
        if begin - start >= share:
            return start
        start = max(start, end)
    return start if 100 - start >= share else None
