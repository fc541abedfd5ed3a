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

from benchmarks.report import Console, NotHere, figures_line  # noqa: E402  (after the environment is set)

BENCHMARKS = {
    "model": "the ONNX graphs against implicit, faiss, hnswlib and the memory floor",
    "serve": "recommendations over HTTP against a plain ASGI callable with one Redis read",
    "collect": "events over HTTP into the log against a plain ASGI callable",
    "stream": "from the log to features, with kills, against Feast's reads",
    "serve_faults": "what shoppers get while Redis, the database, a model is down or somebody attacks, under load",
    "stream_faults": "kills of workers and Redis, a broker down for 30 s, workers that come and go, a hot user",
    "faults": "an installation under load while one part after the other fails; every alert with real Prometheus",
    "soak": "an installation under steady load: memory, handles, lag and disk stay flat",
    "live": "from a click to the changed list on an open page; many open pages and their memory",
    "quality": "HR, MRR, coverage on real sessions beside session kNN, ALS, BM25 and simple rules",
    "cold": "items that no model has seen: how often lists name the one that comes next",
    "variants": "lists of a shop of 40 products in 30 sizes, counted by variant and by product",
    "attack": "the dearest accepted request, and what one caller does to all others",
    "erasure": "traces of erased users and rows of others lost, after erasures and after a restored backup",
    "untidy": "untidy catalogues, events and logs read right; a ledger to the unit; imports of a million rows",
    "console": "faults of rules that the linter finds, and what it says of good ones",
    "wishes": "twenty wishes of merchandisers, by clicks and keys in the console, looked for in the shop",
    "experiments": "statistics of experiments against gbstats, false alarms of A/A runs, power against its calculator",
    "sdk": "bytes of the scripts and delivery on navigation",
    "page": "one user followed everywhere, layout shift, requests of a page, and the widget in frameworks",
}

REQUIRED = {
    "model": ("overlap_at_20", "time_ratio_to_implicit_100k", "time_ratio_to_faiss_100k", "floor_ratio_1m"),
    "serve": (
        *("requests_per_s", "p50_ms", "p90_ms", "p99_ms", "cpu_ms_per_request", "ratio_to_plain_asgi"),
        *("uncached_cpu_ms", "uncached_requests_per_s", "uncached_ratio_to_plain_asgi"),
        *("web_rss_mb", "installation_pss_mb", "first_list_s"),
    ),
    "collect": ("events_per_cpu_s_kafka", "events_per_cpu_s_redis", "p99_ms", "ratio_to_plain_asgi"),
    "stream": (
        "events_per_s_kafka",
        "events_per_s_redis",
        "lost",
        "doubled",
        "bytes_per_user",
        "read_ratio_to_feast",
    ),
    "live": ("p50_ms", "p99_ms"),
    "quality": ("rr_hr20", "rr_mrr20", "rr_new_hr20", "rr_coverage"),
    "cold": ("cold_hr20", "cold_hr20_before", "warm_hr20_change"),
    "attack": (
        "dearest_request_cpu_ms",
        "others_p99_ms",
        "redis_bytes_per_made_up_id",
        "attacker_items_in_top20",
        "honest_users_refused",
        "sites_stopped",
    ),
    "erasure": ("lives", "traces_left", "rows_of_others_lost"),
    "faults": ("faults", "lost", "doubled", "came_back", "alerts_fired", "alerts_expected"),
    "soak": ("minutes", "memory_mb_per_h", "handles_per_h", "lag_records_per_h", "disk_mb_per_h", "is_flat"),
    "untidy": (
        "cases",
        "cases_right",
        "events_lost",
        "orders_off",
        "money_off_minor",
        "import_rows_per_s",
        "import_peak_mb",
    ),
    "console": (
        "whatif_requests_per_s",
        "linter_found",
        "linter_planted",
        "linter_false_alarms",
        "pages",
        "slowest_page_ms_p90",
        "axe_violations",
        "publish_to_open_page_ms",
    ),
    "wishes": ("wishes", "fulfilled", "clicks", "most_clicks", "seconds"),
    "experiments": ("aa_runs", "aa_false_alarm_share", "power_error_points", "max_difference_to_gbstats"),
    "page": (
        *("sequences", "violations", "cls_max_390", "cls_max_1280", "requests_per_page", "sockets_per_page"),
        *("bytes_per_page", "nodes_after_100_mounts", "frameworks_passed", "frameworks"),
    ),
    "sdk": ("tracker_gzip_bytes", "widget_gzip_bytes", "both_gzip_bytes", "delivered_on_navigation"),
}
"""Figures by which versions of Recsite are compared: their names stay, and a run without one of them has failed."""

MORE = {
    "model": ("gpu",),
    "live": ("sockets",),
    "serve": ("items", "gpu"),
    "cold": ("data",),
    "quality": ("data", "windows", "seeds"),
    "soak": ("minutes",),
    "faults": ("only", "log"),
}
"""Options that are one benchmark's own."""

NOT_HERE = 3
"""Exit status where what was to be measured is not on this machine."""


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
    result.add_argument("--items", type=int, metavar="N", help="items of the shop of `serve`; 100,000")
    result.add_argument("--gpu", action="store_true", help="`model` and `serve` on a GPU beside the CPU; 3 without one")
    result.add_argument("--seeds", type=int, metavar="N", help="trainings of `quality` that differ by chance alone; 1")
    result.add_argument("--minutes", type=float, metavar="N", help="length of `soak`; 60, or 2 with --quick")
    result.add_argument("--only", nargs="+", metavar="TEXT", help="`faults` whose names contain one of these texts")
    result.add_argument("--log", choices=("redis", "kafka"), help="`faults` over this event log alone")
    result.add_argument(
        "--data",
        nargs="+",
        metavar="NAME=PATH",
        help="data sets of `quality`, your own copies: retailrocket, diginetica, yoochoose, otto, hm, sessions; "
        "the folder of `cold`, which holds online_retail/",
    )
    result.add_argument("--windows", type=int, metavar="N", help="newest windows of each of these data sets; all")
    result.add_argument("--json", type=Path, metavar="FILE", help="append one line of JSON a benchmark to FILE")
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the named benchmarks in order.

    Returns 0 when each gave all its figures, 1 when one did not, 2 for a name that we do not have, and ``NOT_HERE``.
    """
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
            if options.gpu and "gpu" in MORE.get(name, ()):
                importlib.import_module("benchmarks.gpu").require_gpu()  # before peers are looked for
            chosen = {key: getattr(options, key) for key in MORE.get(name, ())}
            more = {key: value for key, value in chosen.items() if value is not None and value is not False}
            if name == "cold" and "data" in more:
                more["data"] = Path(more["data"][0])
            figures = importlib.import_module(f"benchmarks.{name}").run(quick=options.quick, **more)
        except NotHere as error:
            print(f"{name}: {error}", file=sys.stderr)
            return NOT_HERE
        except ModuleNotFoundError as error:
            print(f"{name}: {error}; pip install -r requirements-bench.txt", file=sys.stderr)
            failed.append(name)
            continue
        line = figures_line(name, figures)
        if options.json is not None:
            with options.json.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        Console().print(f"[dim]{line}[/dim]", soft_wrap=True, highlight=False)
        required = () if name == "quality" and options.data else REQUIRED.get(name, ())  # other data, other keys
        if missing := [key for key in required if key not in figures]:
            print(
                f"{name}: the run gave no {', '.join(missing)}: nothing can be compared by it. Either data or a peer "
                f"that it needs is not here (see above), or benchmarks/{name}.py calls a figure by another name",
                file=sys.stderr,
            )
            failed.append(name)
    if failed:
        print(f"no figures, or not all, from: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
