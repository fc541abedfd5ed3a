"""Run pytest; a few tests that failed run once more, alone, and those that pass then are named at the end.

``python -m tests.second_go -q -n 2`` takes pytest's arguments. Ends with pytest's exit status of the last run: 0 only
when each test has passed, at its first go or at its second (why: ``docs/decisions/0013-a-second-go.md``).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

AT_MOST = 10  # more than this is no accident of one moment
TESTS_FAILED = 1  # pytest's exit status; others mean that the run itself was cut short


def failed_tests(cache: Path) -> list[str]:
    """Return what pytest noted as failed, in its order."""
    record = cache / "v/cache/lastfailed"
    return list(json.loads(record.read_text(encoding="utf-8"))) if record.exists() else []


def pytest(cache: Path, *arguments: str) -> int:
    """Run pytest with its notes in ``cache``; return its exit status."""
    command = [sys.executable, "-m", "pytest", "-o", f"cache_dir={cache}", *arguments]
    return subprocess.run(command, check=False).returncode


def main(arguments: list[str]) -> int:
    """Run all, then what failed; return the exit status."""
    with tempfile.TemporaryDirectory(prefix="recsite-second-go-") as folder:
        cache = Path(folder)
        status = pytest(cache, *arguments)
        first = failed_tests(cache)
        if status != TESTS_FAILED or not 0 < len(first) <= AT_MOST:
            return status
        print(f"\n{len(first)} that failed, once more and alone", flush=True)
        status = pytest(cache, *arguments, "-n", "0", "--last-failed", "--last-failed-no-failures=none")
        still = set(failed_tests(cache))
        for test in first:
            if test not in still:
                print(f"Passed only at the second go: {test}", flush=True)
        return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
