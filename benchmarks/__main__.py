"""Run benchmarks: ``python -m benchmarks NAME… [--quick] [--json FILE]``."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

# Before numpy is imported: figures are per thread, and pools that wait for each other on busy cores only add noise.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

from benchmarks.report import Console, figures_line  # noqa: E402  (after the environment is set)

BENCHMARKS = {
    "model": "the ONNX graphs against implicit, faiss, hnswlib and the memory floor",
    "serve": "recommendations over HTTP against a plain ASGI callable with one Redis read",
    "collect": "events over HTTP into the log against a plain ASGI callable",
    "stream": "from the log to features, with kills, against Feast's reads",
    "serve_faults": "what shoppers get while Redis, the database, a model is away or somebody attacks, under load",
    "stream_faults": "kills of workers and Redis, a broker away for 30 s, workers that come and go, a hot user",
    "live": "from a click to the changed list on an open page; many open pages and their memory",
    "quality": "HR, MRR, coverage on real sessions against simple baselines",
    "sdk": "bytes of the scripts and delivery on navigation",
}


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    names = "\n".join(f"  {name:13} {what}" for name, what in BENCHMARKS.items())
    result = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=f"Measure Recsite beside its peers, in the same run.\n\n{names}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument("names", nargs="+", metavar="NAME", help=f"one or more of: {', '.join(BENCHMARKS)}")
    result.add_argument("--quick", action="store_true", help="end within a minute each, with rougher figures")
    result.add_argument("--sockets", type=int, metavar="N", help="open pages of `live`; 10,000, or 1,000 with --quick")
    result.add_argument("--json", type=Path, metavar="FILE", help="append one line of JSON a benchmark to FILE")
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the named benchmarks in order; 0 when all of them gave figures, 2 for a name that we do not have."""
    options = parser().parse_args(arguments)
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        print(f"unknown benchmark {unknown[0]!r}; there are: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    failed = []
    for name in options.names:
        if importlib.util.find_spec(f"benchmarks.{name}") is None:
            print(f"benchmarks/{name}.py does not exist in this checkout", file=sys.stderr)
            failed.append(name)
            continue
        try:
            more = {"sockets": options.sockets} if name == "live" and options.sockets else {}
            figures = importlib.import_module(f"benchmarks.{name}").run(quick=options.quick, **more)
        except ModuleNotFoundError as error:
            print(f"{name}: {error}; pip install -r requirements-bench.txt", file=sys.stderr)
            failed.append(name)
            continue
        line = figures_line(name, figures)
        if options.json is not None:
            with options.json.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        Console().print(f"[dim]{line}[/dim]", soft_wrap=True, highlight=False)
    if failed:
        print(f"no figures from: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
