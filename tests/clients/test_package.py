"""The Python client as a shop installs it: a wheel with its types, that needs msgspec alone."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.tracking.web_process import ROOT

PROJECT = ROOT / "clients/python"
BLOCKED = "import sys\nfor name in ('django', 'redis', 'ninja', 'numpy', 'tracking'):\n    sys.modules[name] = None\n"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    skipped = shutil.ignore_patterns("*.egg-info", "build", "__pycache__")
    shutil.copytree(PROJECT, folder / "source", ignore=skipped)
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"),
            *("--no-build-isolation", "--wheel-dir", folder, folder / "source"),
        ],
        check=True,
        timeout=120,
        capture_output=True,
    )
    [built] = folder.glob("*.whl")
    return built


@pytest.mark.slow
def test_the_wheel_holds_one_typed_package_and_nothing_else(wheel: Path) -> None:
    sources = {path.name for path in (PROJECT / "src/recsite_client").iterdir() if path.suffix in (".py", ".typed")}
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]

    assert wheel.name == f"recsite_client-{version}-py3-none-any.whl"
    assert {name for name in names if ".dist-info/" not in name} == {f"recsite_client/{name}" for name in sources}
    assert "py.typed" in sources


@pytest.mark.slow
def test_it_works_where_nothing_of_the_product_is_installed(wheel: Path, tmp_path: Path) -> None:
    script = BLOCKED + (
        "import recsite_client\n"
        "tracker = recsite_client.Tracker('http://127.0.0.1:1', 'sk_x', queue='queue.db')\n"
        "tracker.track('search', {'search_term': 'boots'}, user_id='1')\n"
        "print(recsite_client.__file__, tracker.n_waiting)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"PYTHONPATH": str(wheel)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    # Nobody listens: whether the first attempt to send ends before the process does, is up to the machine.
    said = [line for line in done.stderr.splitlines() if not line.startswith("client.unreachable ")]
    assert said == []
    assert done.stdout.split() == [f"{wheel}/recsite_client/__init__.py", "1"]


@pytest.mark.slow
def test_an_import_loads_no_other_package(wheel: Path, tmp_path: Path) -> None:
    script = (
        "import sys; before = set(sys.modules)\nimport recsite_client\n"
        "roots = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(*sorted(roots - set(sys.stdlib_module_names)))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"PYTHONPATH": str(wheel)},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )

    assert set(done.stdout.split()) - {"typing_extensions"} == {"msgspec", "recsite_client"}  # of msgspec
