"""Settings and metrics found in the code must stand in the documents, and nothing else may."""

import re
from pathlib import Path

from django.apps import apps

ROOT = Path(__file__).resolve().parents[2]
READER = re.compile(r'env\.(?:string|optional|boolean|integer|number|words|url|secret)\(\s*"(\w+)"')
METRIC = re.compile(r'(?:Counter|Gauge|Histogram|Summary|GaugeMetricFamily)\(\s*"(recsite_\w+)"')


def test_every_setting_is_documented_and_every_documented_setting_exists() -> None:
    in_code = set(READER.findall((ROOT / "recsite/settings.py").read_text()))
    in_docs = set(re.findall(r"^\| `(\w+)` ", (ROOT / "docs/settings.md").read_text(), re.MULTILINE))
    assert in_code == in_docs


def test_every_metric_is_documented_and_every_documented_metric_exists() -> None:
    in_code: set[str] = set()
    for app in ("recsite", "tracking", "features", "recommendations"):
        for path in Path(apps.get_app_config(app).path).rglob("*.py"):
            in_code.update(METRIC.findall(path.read_text()))
    in_docs = set(re.findall(r"^\| `(recsite_\w+)` ", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE))
    assert in_code == in_docs


def test_links_between_documents_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"
