"""Tests of one file, and of one installation, run in one process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.together import group_of

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("test", "group"),
    [
        ("tests/api/test_schema.py::test_one[kafka]", "tests/api/test_schema.py"),
        ("tests/api/test_schema.py::TestIt::test_one", "tests/api/test_schema.py"),
        ("tests/end_to_end/test_path.py::test_one[kafka]", "installation-kafka"),
        ("tests/end_to_end/test_screens.py::test_one[390-redis]", "installation-redis"),
        ("tests/end_to_end/test_screens.py::test_one[redis-390]", "installation-redis"),
        ("tests/end_to_end/test_screens.py::test_one[rediscovered]", "tests/end_to_end/test_screens.py"),
        ("tests/end_to_end/test_screens.py::test_one", "tests/end_to_end/test_screens.py"),
    ],
)
def test_what_runs_together(test: str, group: str) -> None:
    assert group_of(test) == group


@pytest.mark.slow
def test_no_file_is_dealt_to_two_processes(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    for name in "abcd":
        source = "import pytest\n@pytest.mark.parametrize('n', range(5))\ndef test_it(n): pass\n"
        (tmp_path / f"test_{name}.py").write_text(source, encoding="utf-8")

    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-v",
            "-n",
            "2",
            "-p",
            "xdist",
            "-p",
            "tests.together",
            str(tmp_path),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTEST_ADDOPTS": f"-c {tmp_path / 'pytest.ini'}", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    ran = set(re.findall(r"\[(gw\d)\].* PASSED (\S+?)::", ended.stdout))
    assert len(ran) == 4, ended.stdout + ended.stderr
    assert {process for process, _ in ran} == {"gw0", "gw1"}
