"""Settings and metrics found in the code must stand in the documents, and nothing else may."""

import re
import subprocess
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
    for page in pages():
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"


PATH = re.compile(r"`((?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:py|md|toml|sh))(?:::(\w+))?`")
"""A path in backticks, with the test that it may name: `tests/features/test_order.py::test_order`, `docs/`."""

NOT_OURS = (
    "application/", "text/",  # kinds of media
    "var/", "spool/", "static/", "tuning/", "deploy/tls", "deploy/.env", "sdk/var", "RECSITE_DATA_DIR/",
    "../",  # beside the tree
    "utils.py",  # named because it is not there
)  # fmt: skip
"""What an installation writes, and what only looks like a path."""


def pages() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]


def tree() -> set[str]:
    """Return files and folders (with a stroke at the end), each by every end of its path."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True, text=True,
    )  # fmt: skip
    ends: set[str] = set()
    for name in listed.stdout.split():
        if not (ROOT / name).exists():
            continue
        parts = name.split("/")
        for end in range(1, len(parts) + 1):
            whole = "/".join(parts[:end]) + ("/" if end < len(parts) else "")
            ends.update(whole.split("/", start)[-1] for start in range(end))
    return ends


def test_every_path_that_the_documents_name_exists() -> None:
    ends = tree()
    missing: list[str] = []
    for page in pages():
        for path, test in PATH.findall(page.read_text()):
            if path.startswith(NOT_OURS):
                continue
            if path not in ends and f"{path}/" not in ends:
                missing.append(f"{page.name}: {path}")
            elif test and f"def {test}(" not in (ROOT / path).read_text():
                missing.append(f"{page.name}: {path}::{test}")
    assert missing == []


def test_a_path_that_is_not_there_is_missed() -> None:
    assert "features/keys.py" in tree()
    assert "store/online.py" in tree()
    assert "features/nowhere.py" not in tree()
    assert [match[0] for match in PATH.findall("`features/keys.py`, `docs/x.md::test_y`, `/v1/events`")] == [
        "features/keys.py",
        "docs/x.md",
    ]


def test_the_architecture_has_a_line_for_every_package() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    djangos = {"management", "migrations", "templatetags", "models"}
    packages = {
        path.parent.relative_to(ROOT).as_posix()
        for app in ("recsite", "tracking", "features", "recommendations")
        for path in (ROOT / app).glob("*/__init__.py")
        if path.parent.name not in djangos
    }

    assert {name for name in packages if f"`{name}/`" not in page} == set()
