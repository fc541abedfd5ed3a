"""Real payloads, catalogues and logs, mutated again and again: which lines of the readers they reach leads the search.

An input that reaches a line of a reader that none before it reached is kept and mutated further. A reader may refuse,
with its own error; anything else is a fault, and so is an input of which a part is neither kept nor counted.
"""

from __future__ import annotations

import gc
import json
import random
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

TOKENS: Final = (
    b'"', b",", b";", b"\t", b"\n", b"\r\n", b"{", b"}", b"[", b"]", b"null", b"NaN", b"-1", b"0", b"1e999", b"1,299",
    b"\x00", b"\xff", b"\xef\xbb\xbf", b"\\u0000", b"\\ud83d", b"<![CDATA[", b"&#0;", b"-->", b"undefined", b"EUR",
    b'{"a":' * 40, b"[" * 2_000, b"9" * 400, b"=", b"'", b"\xe2\x80\x8b", b"e\xcc\x81", b"1.2E+06", b"%",
)  # fmt: skip
MAX_INPUT: Final = 100_000
_READERS: Final = ("tracking/contract", "features/feed_files", "features/feeds", "recsite/importing")


@dataclass(slots=True)
class Found:
    """What mutated inputs brought about.

    Attributes
    ----------
    inputs, refused : int
        ``refused`` of them had no reading as a whole.
    lines : int
        Of the readers, that were reached.
    faults : list of str
        Inputs that made a reader fail in another way than by its own error, or that were not counted whole.
    growth_mb : float
        What stayed in memory from the first half of the inputs to the second.
    """

    inputs: int = 0
    refused: int = 0
    lines: int = 0
    faults: list[str] = field(default_factory=list)
    growth_mb: float = 0.0


Reader = Callable[[bytes], bool]
"""Reads an input and checks that all of it is counted; returns whether it was refused as a whole."""


def mutate_all(n_inputs: int, *, seed: int = 4) -> Found:
    """Mutate payloads, catalogues and logs, a third of ``n_inputs`` each; needs Django's settings, but no database."""
    found = Found()
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        readers: list[tuple[Reader, list[bytes]]] = [
            (_read_payload, list(_payloads())),
            (_read_catalogue, list(_catalogues())),
            (lambda data: _read_log(data, Path(folder) / "log"), list(_logs())),
        ]
        for reader, corpus in readers:
            _search(reader, corpus, n_inputs // len(readers), random.Random(seed), found)
    return found


def _search(reader: Reader, corpus: list[bytes], n_inputs: int, dice: random.Random, found: Found) -> None:
    reached: set[tuple[CodeType, int]] = set()
    _observed(reader, corpus, reached, found)
    held: list[int] = []
    is_traced = tracemalloc.is_tracing()
    tracemalloc.start()
    for number in range(n_inputs):
        data = mutated(corpus, dice)
        before = len(reached)
        _observed(reader, [data], reached, found)
        if len(reached) > before and len(corpus) < 2_000:
            corpus.append(data)
        if number in (n_inputs // 2, n_inputs - 1):
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0] - sum(map(len, corpus)) - 120 * len(reached))
    if not is_traced:
        tracemalloc.stop()
    found.lines += len(reached)
    found.growth_mb = max(found.growth_mb, (held[-1] - held[0]) / 1e6)


def _observed(reader: Reader, inputs: Sequence[bytes], reached: set[tuple[CodeType, int]], found: Found) -> None:
    """Read inputs and note the lines that they reach."""

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "call":
            return trace if any(part in frame.f_code.co_filename for part in _READERS) else None
        if event == "line":
            reached.add((frame.f_code, frame.f_lineno))
        return trace

    for data in inputs:
        found.inputs += 1
        earlier = sys.gettrace()
        sys.settrace(trace)
        try:
            found.refused += reader(data)
        except Exception as error:  # what no reader may raise
            found.faults.append(f"{type(error).__name__}: {error!s:.200} of {data[:400]!r}")
        finally:
            sys.settrace(earlier)


def mutated(corpus: Sequence[bytes], dice: random.Random) -> bytes:
    """Return one of the inputs with one to six changes: bytes flipped, cut, doubled, put in, or of another input."""
    data = bytearray(dice.choice(corpus))
    for _ in range(dice.randint(1, 6)):
        at, until = sorted((dice.randint(0, len(data)), dice.randint(0, len(data))))
        until = min(until, at + 200)
        match dice.randrange(6):
            case 0 if data:
                data[min(at, len(data) - 1)] ^= 1 << dice.randrange(8)
            case 1:
                del data[at:until]
            case 2:
                data[at:at] = data[at:until]
            case 3 | 4:
                data[at : dice.choice((at, at, until))] = dice.choice(TOKENS)
            case _:
                other = dice.choice(corpus)
                start = dice.randint(0, len(other))
                data[at:until] = other[start : start + dice.randint(0, 200)]
    return bytes(data[:MAX_INPUT])


def _payloads() -> Iterator[bytes]:
    from benchmarks.untidy.payloads import NOW_MS, payloads

    for case in payloads():
        event = {
            "event_id": "event-0001",
            "ts": NOW_MS,
            **(case.head or {}),
            "event": case.event,
            "params": case.params,
        }
        second = {"event_id": "event-0002", "ts": NOW_MS, "event": "page_view"}
        yield json.dumps(
            {"key": "pk_x", "sent_at": NOW_MS, "anonymous_id": "a" * 32, "events": [event, second]}
        ).encode()


def _read_payload(data: bytes) -> bool:
    from tracking.contract.parsing import parse_envelope
    from tracking.exceptions import InvalidEvent

    for is_strict in (False, True):
        try:
            parsed = parse_envelope(data, max_events=100, is_strict=is_strict)
        except InvalidEvent:
            if not is_strict:
                return True
            continue
        kept = sum(len(group.good) for group in parsed.groups)
        assert kept + len(parsed.rejected) == parsed.n_events, "an event is neither kept nor refused"
    return False


def _catalogues() -> Iterator[bytes]:
    from benchmarks.untidy.catalogues import catalogues

    yield from (case.content for case in catalogues() if len(case.content) < MAX_INPUT)


def _read_catalogue(data: bytes) -> bool:
    from features.feed_files.readers import read_feed
    from features.feed_files.report import FeedBroken, FeedReport
    from features.feeds.mends import BadValue, Mends
    from features.feeds.values import Understanding, item_changes

    report, understanding = FeedReport(), Understanding(currency="EUR")
    try:
        for row in read_feed(BytesIO(data), report):
            with suppress(BadValue):
                changes = item_changes(row.values, understanding=understanding, mends=Mends(report, row.line))
                assert changes["item_id"], "an item has no id"
    except FeedBroken:
        return True
    return False


def _logs() -> Iterator[bytes]:
    from benchmarks.untidy.logs import logs

    yield from (content for case in logs() for content in case.files.values() if len(content) < MAX_INPUT)


def _read_log(data: bytes, path: Path) -> bool:
    from recsite.importing.base import InvalidSource
    from recsite.importing.formats import open_source
    from recsite.importing.sorted_source import SortedSource

    path.write_bytes(data)
    try:
        source = open_source(path, site="mutated")
        units = list(source.units())
    except InvalidSource:
        return True
    if isinstance(source, SortedSource):
        assert sum(unit.rows for unit in units) >= source.notes.rows, "a row is neither appended nor left out"
    return False
