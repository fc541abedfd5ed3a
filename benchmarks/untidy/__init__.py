"""Untidy data of real shops: catalogues, events, logs read right; a ledger to the unit; imports of a million rows."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from benchmarks.report import print_table
from tests.services.kafka_server import KafkaServer
from tests.services.redis_server import RedisServer

EVENTS: Final = 100_000
ROWS: Final = 1_000_000
INPUTS: Final = 10_000


def run(*, quick: bool) -> dict[str, float]:
    """Run every case, both ledgers and the imports; prints a table of each."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="recsite-untidy-")))
        redis = stack.enter_context(RedisServer())
        kafka = stack.enter_context(KafkaServer())
        from benchmarks.untidy.installation import set_up

        set_up(folder / "data", redis_url=redis.url, log_url=f"{redis.url}?stream=cases&partitions=4")
        figures = _cases(folder)
        figures |= _mutations(n_inputs=INPUTS // 10 if quick else INPUTS)
        logs = {
            "Redis Streams": f"{redis.url}?stream=ledger&partitions=4",
            "Kafka": f"kafka://{kafka.bootstrap}/ledger?partitions=4",
        }
        figures |= _ledgers(folder, logs, n_events=EVENTS // 10 if quick else EVENTS)
        figures |= _imports(folder, redis.url, n_rows=ROWS // 20 if quick else ROWS)
        figures |= _tidy(folder, pairs=1 if quick else 3)
    return figures


def _cases(folder: Path) -> dict[str, float]:
    from benchmarks.untidy.cases import wrong_catalogues, wrong_logs, wrong_payloads

    (folder / "logs").mkdir()
    outcomes = [*wrong_catalogues(), *wrong_payloads(), *wrong_logs(folder / "logs")]
    kinds = sorted({name.partition(":")[0] for name, _ in outcomes})
    print_table(
        "Untidy inputs, read as a person would read them",
        ["kind", "cases", "right"],
        [
            [kind, sum(name.startswith(kind) for name, _ in outcomes),
             sum(name.startswith(kind) and not wrong for name, wrong in outcomes)]
            for kind in kinds
        ],
        caption="; ".join(f"{name}: {wrong}" for name, wrong in outcomes if wrong) or "Nothing came out wrong.",
    )  # fmt: skip
    return {"cases": len(outcomes), "cases_right": sum(not wrong for _, wrong in outcomes)}


def _mutations(*, n_inputs: int) -> dict[str, float]:
    from benchmarks.untidy.mutations import mutate_all

    found = mutate_all(n_inputs)
    print_table(
        "The same inputs, mutated",
        ["inputs", "refused as a whole", "lines of the readers reached", "faults", "memory grown, MB"],
        [[found.inputs, found.refused, found.lines, len(found.faults), found.growth_mb]],
        caption="; ".join(found.faults[:5]) or "No reader failed, and every event and row was counted.",
    )
    return {"mutations": found.inputs, "mutation_faults": len(found.faults), "mutation_growth_mb": found.growth_mb}


def _ledgers(folder: Path, logs: dict[str, str], *, n_events: int) -> dict[str, float]:
    from benchmarks.untidy.ledger import balance

    found = {}
    for name, log_url in logs.items():
        own = folder / name.replace(" ", "-")
        own.mkdir()
        with RedisServer() as redis:
            found[name] = balance(own, redis_url=redis.url, log_url=log_url, n_events=n_events)
    print_table(
        "A ledger of untidy events, orders told by page and server, once and again",
        ["log", "events", "lost", "orders", "orders off", "money off, cents", "pieces off", "refusals off"],
        [
            [name, one.events, one.events_lost, one.orders, one.orders_off, one.money_off_minor, one.pieces_off,
             one.refused_off]
            for name, one in found.items()
        ],
        caption="Off: the sum of distances from what happened, by person, by item.",
    )  # fmt: skip
    return {
        "events_lost": sum(one.events_lost + one.refused_off for one in found.values()),
        "orders_off": sum(one.orders_off for one in found.values()),
        "money_off_minor": sum(one.money_off_minor for one in found.values()),
        "pieces_off": sum(one.pieces_off for one in found.values()),
    }


def _imports(folder: Path, redis_url: str, *, n_rows: int) -> dict[str, float]:
    from benchmarks.untidy.imports import measure

    found = measure(folder / "imports", redis_url=redis_url, n_rows=n_rows)
    print_table(
        f"Imports of {n_rows:,} rows in no order",
        ["format", "rows", "s", "rows/s", "peak MB"],
        [[one.name, one.rows, one.seconds, one.rows / one.seconds, one.peak_mb] for one in found],
        caption="Seconds of the whole command, sorting on disk included; the log is Redis Streams on the same machine.",
    )
    return {
        "import_rows_per_s": min(one.rows / one.seconds for one in found),
        "import_peak_mb": max(one.peak_mb for one in found),
    }


def _tidy(folder: Path, *, pairs: int) -> dict[str, float]:
    from benchmarks.untidy.tidy import BEFORE, ratio_to_before

    ratio = ratio_to_before(folder, pairs=pairs)
    said = f"not measured: commit {BEFORE} is not in this clone" if ratio is None else f"{ratio:.3f}"
    print_table(
        "Tidy events", ["CPU an event, of version 0.1"], [[said]], caption=f"The median of {pairs} pairs of `collect`."
    )
    return {} if ratio is None else {"collect_ratio_to_before": ratio}
