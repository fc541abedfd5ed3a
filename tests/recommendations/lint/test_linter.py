"""Planted faults are found among good rules, good rules are left in peace, and what is said agrees with the lists."""

from __future__ import annotations

import pytest

from benchmarks.console_rules import FAULTS, FIRST_FAULT, GOOD, Fault, false_alarms, found
from recommendations.lint.findings import Problem
from recommendations.lint.linter import of_rule


def test_there_are_forty_faults_and_forty_good_rules() -> None:
    assert (len(FAULTS), len(GOOD)) == (40, 40)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.problem}-{FAULTS.index(fault)}")
def test_a_planted_fault_is_named_with_its_rules_and_nothing_else_is_blamed(fault: Fault) -> None:
    planted = {FIRST_FAULT + number for number in range(len(fault.rules))}
    wanted = {FIRST_FAULT + number for number in fault.about}

    findings = found([*GOOD, *fault.numbered()], **fault.placement)

    assert any(each.problem is fault.problem and wanted <= set(each.rule_ids) for each in findings), findings
    if not fault.placement:
        assert [each for each in findings if planted.isdisjoint(each.rule_ids)] == []


def test_good_rules_are_left_in_peace() -> None:
    assert false_alarms() == []


@pytest.mark.slow
def test_every_finding_says_what_why_and_what_to_do() -> None:
    for fault in FAULTS:
        for each in found([*GOOD, *fault.numbered()], **fault.placement):
            assert all(text.endswith((".", "?")) for text in (each.what, each.why, each.remedy)), each
            assert each.subject in each.what


def test_the_gravest_come_first_and_a_rule_has_its_own() -> None:
    findings = found([*GOOD, *FAULTS[26].numbered(), {**FAULTS[0].numbered()[0], "rule_id": 2_000}])

    assert [each.severity for each in findings] == sorted((each.severity for each in findings), reverse=True)
    assert [each.problem for each in of_rule(findings, 2_000)][-1] is Problem.UNKNOWN
