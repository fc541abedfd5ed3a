"""Whether a worker lost or doubled anything: its states against those of a run that nothing disturbed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.stream_load import Bench, Records, fill, hash_of, log_url, running

if TYPE_CHECKING:
    from features.store.scan import StateHash

Row = tuple[object, ...]


@dataclass
class Judge:
    """Compares what a worker left behind with a clean run over the same records."""

    redis_url: str
    events: int = 0
    applied: int = 0
    resent: int = 0
    is_as_clean: bool = False
    sees_one_less: bool = False

    def judge(self, bench: Bench, records: Records, events: int) -> None:
        """Look at the bench's states; ``events`` are those of ``records`` without re-sends."""
        ledger, found = bench.ledger(), hash_of(bench)
        self.events, self.applied, self.resent = events, ledger.get("applied", 0), ledger.get("duplicate", 0)
        self.is_as_clean = found == clean_hash(records, self.redis_url)
        self.sees_one_less = found != clean_hash(records[:-1], self.redis_url)

    def cells(self, seconds: float) -> Row:
        """Return the cells of ``COLUMNS`` from the events on."""
        lost, doubled = max(0, self.events - self.applied), max(0, self.applied - self.events)
        words = ["yes" if is_so else "NO" for is_so in (self.is_as_clean, self.sees_one_less)]
        return (self.events, self.resent, f"{lost}, {doubled}", ", ".join(words), seconds)

    def figures(self, name: str) -> dict[str, float]:
        """Return the verdict as figures."""
        return {
            f"{name}_lost": max(0, self.events - self.applied),
            f"{name}_doubled": max(0, self.applied - self.events),
            f"{name}_is_as_clean": self.is_as_clean,
            f"{name}_sees_one_less": self.sees_one_less,
        }


def clean_hash(records: Records, redis_url: str) -> StateHash:
    """Return the hash of the states after a run over the records that nothing disturbs, in a database of its own."""
    url = f"{redis_url.rpartition('/')[0]}/9"
    with running(log_url("redis", url, ""), url) as bench:
        bench.client.flushdb()
        fill(bench.log, records)
        bench.start()
        bench.wait_for(len(records))
        found = hash_of(bench)
        bench.client.flushdb()
    return found
