"""What the linter found: which rule, what, why, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from recommendations.core.words import Worded


class Problem(Worded):
    """The kinds of faults of rules and placements, with what screens call them."""

    EMPTYING = "emptying", "Empties a list"
    SHORT = "short", "Shortens a list"
    OVER_BROAD = "over_broad", "Touches very much"
    CONFLICT = "conflict", "Contradicts another rule"
    SHADOWED = "shadowed", "Another rule leaves it nothing to do"
    DUPLICATE = "duplicate", "Says what another rule says"
    DEAD = "dead", "Does nothing"
    UNKNOWN = "unknown", "Names what the catalogue does not have"
    EXPIRED = "expired", "Has ended"
    EXPIRING = "expiring", "Ends soon"


class Severity(IntEnum):
    """What follows from a finding when a rule is published."""

    NOTE = 0  # worth knowing
    WARN = 1  # shown, published all the same
    CONFIRM = 2  # published once a person has said that this is intended
    REFUSE = 3  # never published


SEVERITIES = {
    Problem.EMPTYING: Severity.REFUSE,
    Problem.SHORT: Severity.CONFIRM,
    Problem.OVER_BROAD: Severity.CONFIRM,
    Problem.EXPIRING: Severity.NOTE,
}
"""By kind; all others warn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One fault.

    Attributes
    ----------
    problem : Problem
    rule_ids : tuple of int
        The rules concerned, the one to change first; none where a placement is at fault by itself.
    subject : str
        How the rule, or the placement, is called.
    what, why, remedy : str
        Whole sentences for merchandisers.
    placement : str
        Where, if it is one placement.
    """

    problem: Problem
    rule_ids: tuple[int, ...]
    subject: str
    what: str
    why: str
    remedy: str
    placement: str = ""

    @property
    def severity(self) -> Severity:
        """What follows from it when the rule is published."""
        return SEVERITIES.get(self.problem, Severity.WARN)

    @property
    def tone(self) -> str:
        """How screens colour it: ok, warn or bad."""
        return ("ok", "warn", "warn", "bad")[self.severity]

    @property
    def sentence(self) -> str:
        """All of it as one line."""
        return f"{self.what} {self.why} {self.remedy}"


def names_of_items(names: list[str], *, most: int = 3) -> str:
    """Return the first few names, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
