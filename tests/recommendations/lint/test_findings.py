"""What follows from a finding, and how names are listed."""

from __future__ import annotations

from recommendations.lint.findings import Finding, Problem, Severity, names_of_items


def test_what_empties_is_refused_and_what_is_very_broad_is_confirmed() -> None:
    severity = {
        problem: Finding(problem=problem, rule_ids=(1,), subject="a", what="b", why="c", remedy="d").severity
        for problem in Problem
    }

    assert severity[Problem.EMPTYING] is Severity.REFUSE
    assert severity[Problem.OVER_BROAD] is severity[Problem.SHORT] is Severity.CONFIRM
    assert severity[Problem.EXPIRING] is Severity.NOTE
    assert severity[Problem.CONFLICT] is severity[Problem.DEAD] is severity[Problem.UNKNOWN] is Severity.WARN


def test_the_first_names_stand_for_all() -> None:
    assert names_of_items(["a", "b", "c"]) == "a, b, c"
    assert names_of_items(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
