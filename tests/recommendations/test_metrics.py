"""Metrics are declared in one module, and none of them tells users or items apart."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

import recommendations
from recommendations import metrics

ROOT = Path(recommendations.__file__).parent
DECLARED = [value for value in vars(metrics).values() if isinstance(value, MetricWrapperBase)]
FEW_VALUES = {
    "site", "placement", "stage", "reason", "step", "result", "cause", "code", "feature", "status",
    "source",  # of installed packages
}  # fmt: skip


def test_no_other_module_declares_a_metric() -> None:
    elsewhere = [
        str(path.relative_to(ROOT))
        for path in ROOT.rglob("*.py")
        if path.name != "metrics.py"
        and re.search(r"prometheus_client import .*(Counter|Gauge|Histogram|Summary)", path.read_text())
    ]

    assert elsewhere == []


def test_labels_have_few_values() -> None:
    named = {label for metric in DECLARED for label in metric._labelnames}

    assert len(DECLARED) > 10
    assert named <= FEW_VALUES
