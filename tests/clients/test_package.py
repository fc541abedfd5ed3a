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


CONSUMER = """
from recsite_client import PlacementRequest, Recsite, Tracker, anonymous_id

recsite = Recsite("https://rec.shop.example", "sk_1", timeout_s=0.3)


def titles(cookies: dict[str, str]) -> list[str]:
    lists = recsite.recommend(placements=[PlacementRequest(placement="home")], anonymous_id=anonymous_id(cookies))
    prices: list[float] = [item.price for item in lists["home"].items if isinstance(item.price, float)]
    return [f"{item.title} {price}" for item, price in zip(lists["home"].items, prices)]


reveal_type(recsite.list_items().next)
"""


@pytest.mark.slow
def test_it_is_installed_into_an_environment_of_its_own_and_typed_there(wheel: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True, timeout=120)
    python = tmp_path / "venv/bin/python"
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]
    subprocess.run([*pip, wheel], check=True, timeout=300)
    (tmp_path / "shop.py").write_text(CONSUMER)

    ran = subprocess.run(
        [python, "-c", "import recsite_client as r; print(r.__file__, r.anonymous_id({'rec_aid': 'a' * 32}))"],
        capture_output=True, text=True, check=True, timeout=60, cwd=tmp_path,
    )  # fmt: skip
    typed = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--python-executable", python, "shop.py"],
        capture_output=True, text=True, check=False, timeout=300, cwd=tmp_path,
    )  # fmt: skip

    assert ran.stdout.split() == [
        str(next(tmp_path.glob("venv/lib/*/site-packages/recsite_client/__init__.py"))),
        "a" * 32,
    ]
    assert 'Revealed type is "str | None"' in typed.stdout or 'Revealed type is "Union[str, None]"' in typed.stdout
    assert "Success: no issues" in typed.stdout, typed.stdout
