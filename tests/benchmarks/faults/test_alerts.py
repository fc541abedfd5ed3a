"""Every alert that is deployed has a fault that raises it, or a reason why this lab cannot make that fault."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from benchmarks.faults import alerts
from benchmarks.faults.matrix import FAULTS
from tests.services.fixtures import leave_out
from tests.services.process import Missing


def test_every_alert_is_raised_by_a_fault_or_says_why_not() -> None:
    names = alerts.names()
    assert len(names) == len(set(names))
    raised = {alert for fault in FAULTS for alert in fault.alerts}
    assert raised | set(alerts.NOT_HERE) == set(names)
    assert not raised & set(alerts.NOT_HERE)


def test_faults_have_names_of_their_own() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


def test_the_drill_runs_the_rules_that_are_deployed_only_faster(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    deployed = yaml.safe_load(alerts.RULES.read_text(encoding="utf-8"))
    short = alerts.shortened()
    for ours, theirs in zip(short["groups"], deployed["groups"], strict=True):
        for one, other in zip(ours["rules"], theirs["rules"], strict=True):
            assert one.get("alert") == other.get("alert")
            assert one.get("labels") == other.get("labels")
            assert "for" not in other or one["for"] == "1s"
    tool = shutil.which("promtool")
    if tool is None:
        leave_out(request.config, Missing("promtool", "install Debian's prometheus"))
    rules = tmp_path / "rules.yml"
    rules.write_text(yaml.safe_dump(short), encoding="utf-8")
    done = subprocess.run([str(tool), "check", "rules", str(rules)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_threshold_that_is_no_longer_in_its_rule_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(alerts.SHORTENED, "StreamBehind", ("> 31", "> 3"))
    with pytest.raises(ValueError, match=r"StreamBehind: '> 31' is not in .*; correct SHORTENED"):
        alerts.shortened()
