"""What the training commands say: what was measured, what the gate decided."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management.base import CommandError
from rich.console import Console

from recommendations.management.outcome import print_measured, print_outcome
from recommendations.models import ModelVersion
from recommendations.training.report import TABLE_COLUMNS
from tracking.models import Site


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=140)


def said(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_what_was_measured_is_a_table_of_all_points_and_one_of_their_parts(console: Console) -> None:
    fusion = {**dict.fromkeys(TABLE_COLUMNS, 0.25), "hr@20|length=2-3": 0.75, "points|length=2-3": 1200.0}

    print_measured(console, {"fusion": fusion, "als": dict.fromkeys(TABLE_COLUMNS, 0.125)})

    lines = said(console).splitlines()
    assert next(line for line in lines if line.startswith("als")).split() == ["als", *["0.125"] * len(TABLE_COLUMNS)]
    assert next(line for line in lines if line.startswith("2-3")).split()[-2:] == ["1,200", "0.750"]


def test_nothing_measured_is_nothing_printed(console: Console) -> None:
    print_measured(console, {})

    assert said(console) == ""


@pytest.mark.django_db
@pytest.mark.parametrize("status", ["live", "refused"])
def test_the_gates_checks_are_printed_and_a_refusal_ends_the_command(console: Console, status: str) -> None:
    report: list[dict[str, Any]] = [
        {"name": "quality", "passed": True, "reason": "better"},
        {"name": "latency", "passed": status == "live", "reason": "31 ms"},
    ]
    site = Site.objects.create(slug="gated", name="Gated")
    version = ModelVersion.objects.create(site=site, version="v7", gate_report=report)
    ModelVersion.objects.update(status=status)  # by another process: what is printed is what it is now

    if status == "refused":
        with pytest.raises(CommandError, match="the gate refused v7; what was live still is"):
            print_outcome(console, version, took_s=61.6)
    else:
        print_outcome(console, version, took_s=61.6)

    mark = "✓" if status == "live" else "✗"
    words = "live" if status == "live" else "refused by the gate"
    assert said(console).splitlines() == ["✓ quality: better", f"{mark} latency: 31 ms", f"v7: {words}, after 62 s"]
