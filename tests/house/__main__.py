"""Say what is left to do in the house: ``python -m tests.house [--only words,flat] [--path recommendations/live]``."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable

from tests.house import dead, shape, words
from tests.house.common import Finding

CHECKS: dict[str, tuple[str, Callable[[], list[Finding]]]] = {
    "flat": ("packages with more than 15 modules or 40 files", shape.flat),
    "mirror": ("modules without a mirror test", shape.mirror),
    "arguments": ("functions with more than seven arguments and no reason", shape.arguments),
    "words": ("words that are left", words.check),
    "dead": ("dead names", dead.check),
    "lines": ("lines of documents over 120 characters", shape.lines),
}


def main(argv: list[str]) -> int:
    """Run the checks, print what is left, and return 1 if anything is."""
    parser = argparse.ArgumentParser(prog="python -m tests.house", description=__doc__)
    parser.add_argument("--only", default="", help=f"some of {','.join(CHECKS)}; all without it")
    parser.add_argument("--path", action="append", default=[], help="only findings below this path; may be repeated")
    parser.add_argument("--most", type=int, default=200, help="findings printed a check (default 200)")
    options = parser.parse_args(argv)
    chosen = [name for name in options.only.split(",") if name] or list(CHECKS)
    if unknown := set(chosen) - CHECKS.keys():
        parser.error(f"--only {','.join(sorted(unknown))} is none of {', '.join(CHECKS)}")
    left = 0
    for name in chosen:
        title, check = CHECKS[name]
        found = [one for one in check() if one.path.startswith(tuple(options.path) or "")]
        left += len(found)
        print(f"{len(found):5} {title}{_by_territory(found)}")
        for finding in found[: options.most]:
            print(f"      {finding}")
        if len(found) > options.most:
            print(f"      … and {len(found) - options.most} more")
    return 1 if left else 0


def _by_territory(found: Iterable[Finding]) -> str:
    counted = Counter("/".join(one.path.split("/")[:2]) for one in found)
    return f": {', '.join(f'{where} {count}' for where, count in counted.most_common())}" if counted else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
