"""Metrics are declared in one module an application, and no label can hold a user or an item."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from prometheus_client import metrics as kinds

import features.metrics
import recommendations.metrics
import tracking.metrics

ROOT = Path(__file__).resolve().parents[2]
MODULES = (tracking.metrics, features.metrics, recommendations.metrics)
PERSONAL = {"user", "user_id", "user_key", "anonymous_id", "item", "item_id", "session", "session_id", "address"}


def imported(path: Path) -> set[str]:
    """Return what a module imports of prometheus_client itself."""
    return {
        alias.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "prometheus_client"
        for alias in node.names
    }


@pytest.mark.slow
def test_only_the_modules_of_metrics_can_declare_one() -> None:
    found = {
        str(path.relative_to(ROOT))
        for app in ("tracking", "features", "recommendations", "recsite")
        for path in (ROOT / app).rglob("*.py")
        if imported(path) & {"Counter", "Gauge", "Histogram", "Summary", "Info", "Enum"}
    }

    assert found == {str(Path(str(module.__file__)).relative_to(ROOT)) for module in MODULES}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_no_label_holds_a_user_or_an_item(module: object) -> None:
    declared = [value for value in vars(module).values() if isinstance(value, kinds.MetricWrapperBase)]

    assert declared
    assert {label for metric in declared for label in metric._labelnames} & PERSONAL == set()
