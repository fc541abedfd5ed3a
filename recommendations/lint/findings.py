"""What the linter found: which rule, what, why, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from recommendations.core.words import Worded, first_of, gettext_noop


class Problem(Worded):
    """The kinds of faults of rules and placements, with what screens call them."""

    EMPTYING = "emptying", gettext_noop("Empties a list")
    SHORT = "short", gettext_noop("Shortens a list")
    OVER_BROAD = "over_broad", gettext_noop("Touches very much")
    CONFLICT = "conflict", gettext_noop("Contradicts another rule")
    SHADOWED = "shadowed", gettext_noop("Another rule leaves it nothing to do")
    DUPLICATE = "duplicate", gettext_noop("Says what another rule says")
    DEAD = "dead", gettext_noop("Does nothing")
    NO_PAGE = "no_page", gettext_noop("Needs the item of a page")
    UNKNOWN = "unknown", gettext_noop("Names what the catalogue does not have")
    EXPIRED = "expired", gettext_noop("Has ended")
    EXPIRING = "expiring", gettext_noop("Ends soon")


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
    return first_of(names, most=most)
