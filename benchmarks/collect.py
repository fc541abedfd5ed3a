"""Collect: events over HTTP into the log, durable when answered, beside a plain ASGI callable that only answers 202.

One uvicorn process with a real Redis and a real Kafka broker on the same machine, loaded by wrk over loopback. Events
per CPU second count the web process alone (user and system time); latencies are of a light load of its own. All
settings are those of a new installation: a record that the log did not acknowledge within 50 ms was spooled, and the
table says what share of them was. A run in which anything but 202 was answered gives no figures.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.report import print_table
from tests.services.kafka_server import KafkaServer
from tests.services.process import find_program, free_port
from tests.services.redis_server import RedisServer
from tests.tracking.web_process import ROOT, Web
from tracking.log import open_log

N_BODIES: Final = 256
BUSY_CONNECTIONS: Final = 48
LIGHT_CONNECTIONS: Final = 2
BATCH: Final = 20


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of wrk."""

    requests_per_s: float
    cpu_s_per_request: float
    p50_ms: float
    p99_ms: float
    spooled_share: float


@dataclass(frozen=True, slots=True)
class Served:
    """A server under load, and how its counters are read."""

    pid: int
    port: int
    key: str
    counted: Callable[[], Counter[str]]


def run(*, quick: bool) -> dict[str, float]:
    """Measure and return the figures; prints a table."""
    wrk = find_program("wrk", "apt install wrk", "wrk")
    duration_s, warm_up_s = (3, 1) if quick else (15, 3)
    runs: dict[tuple[str, int], tuple[Measured, Measured]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="recsite-collect-")))
        redis = stack.enter_context(RedisServer())
        kafka = stack.enter_context(KafkaServer())
        logs = {
            "redis": f"{redis.url}?stream=benchmark&partitions=4",
            "kafka": f"kafka://{kafka.bootstrap}/benchmark?partitions=4",
        }
        for name in ("plain", *logs):
            with _plain() if name == "plain" else _collect(folder / name, redis.url, logs[name]) as served:
                for n_events in (1, BATCH):
                    script = _script(folder / f"{name}-{n_events}.lua", n_events, served.key)
                    _wrk(wrk, served, script, seconds=warm_up_s, connections=BUSY_CONNECTIONS)
                    busy = _wrk(wrk, served, script, seconds=duration_s, connections=BUSY_CONNECTIONS)
                    calm = _wrk(wrk, served, script, seconds=duration_s, connections=LIGHT_CONNECTIONS)
                    runs[name, n_events] = busy, calm
    print_table(
        "Collect: events through one web process, durable when answered",
        ["log", "batch", "a second", "a CPU s", "of plain", "spool", "p50 ms", "p99 ms", "spool"],
        [
            [
                name, n_events, round(busy.requests_per_s * n_events), round(n_events / busy.cpu_s_per_request),
                runs["plain", n_events][0].cpu_s_per_request / busy.cpu_s_per_request, _percent(busy.spooled_share),
                calm.p50_ms, calm.p99_ms, _percent(calm.spooled_share),
            ]
            for (name, n_events), (busy, calm) in runs.items()
        ],
        caption=f"wrk, {BUSY_CONNECTIONS} connections; latencies, and what was spooled then, with {LIGHT_CONNECTIONS}. "
        "Batch: events a request. CPU: of the web process. plain: answers 202.",
    )  # fmt: skip
    figures = {}
    for (name, n_events), (busy, calm) in runs.items():
        if name == "plain":
            continue
        kind = f"{name}_{n_events}"
        figures[f"events_per_cpu_s_{kind}"] = n_events / busy.cpu_s_per_request
        figures[f"events_per_s_{kind}"] = n_events * busy.requests_per_s
        figures[f"ratio_to_plain_asgi_{kind}"] = runs["plain", n_events][0].cpu_s_per_request / busy.cpu_s_per_request
        figures[f"p50_ms_{kind}"] = calm.p50_ms
        figures[f"p99_ms_{kind}"] = calm.p99_ms
        figures[f"spooled_share_{kind}"] = busy.spooled_share
        figures[f"spooled_share_calm_{kind}"] = calm.spooled_share
    # The figures by which installations are compared: full batches; of the two logs, Kafka's where there is one figure.
    for name in ("kafka", "redis"):
        figures[f"events_per_cpu_s_{name}"] = figures[f"events_per_cpu_s_{name}_{BATCH}"]
    for key in ("p50_ms", "p99_ms", "ratio_to_plain_asgi"):
        figures[key] = figures[f"{key}_kafka_{BATCH}"]
    return figures


@contextmanager
def _collect(folder: Path, redis_url: str, log_url: str) -> Iterator[Served]:
    open_log(log_url).ensure_topic(timeout_s=30)
    web = Web(folder, redis_url=redis_url, log_url=log_url).prepare().start()
    try:
        time.sleep(2)  # the log connects in the background; until it has, records are spooled
        yield Served(pid=web.pid, port=web.port, key=web.key, counted=web.counted)
    finally:
        web.kill()


@contextmanager
def _plain() -> Iterator[Served]:
    port = free_port()
    command = [
        sys.executable, "-m", "uvicorn", "benchmarks.plain_asgi:application", "--port", str(port),
        "--host", "127.0.0.1", "--no-access-log", "--log-level", "warning",
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        _wait_for(port)
        yield Served(pid=process.pid, port=port, key="pk_none", counted=Counter)
    finally:
        process.kill()
        process.wait(10)


def _wait_for(port: int) -> None:
    give_up_at = time.monotonic() + 20
    while time.monotonic() < give_up_at:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the plain ASGI callable did not answer")


def _script(path: Path, n_events: int, key: str) -> Path:
    """Write the requests as a wrk script: many shoppers, so that all partitions are written to."""
    now = int(time.time() * 1000)
    bodies = []
    for shopper in range(N_BODIES):
        events = [
            {
                "event": "view_item", "event_id": uuid.uuid4().hex, "ts": now - 1000 * number,
                "session_id": "s" * 20, "page_view_id": "p" * 20, "url": "https://www.shop.example/p/1",
                "params": {"items": [{"item_id": f"SKU{number}", "price": 12.5, "item_category": "Shoes"}]},
            }
            for number in range(n_events)
        ]  # fmt: skip
        ctx = {"ref": "https://www.shop.example/", "lang": "en", "vw": 1280, "lib": "rec.js/1.0.0"}
        envelope = {"key": key, "v": "1.0", "sent_at": now, "anonymous_id": f"{shopper:032x}", "ctx": ctx}
        bodies.append(json.dumps({**envelope, "events": events}, separators=(",", ":")))
    lines = ",\n".join(f"[==[{body}]==]" for body in bodies)
    path.write_text(
        f"""local bodies = {{{lines}}}
local ready, at = {{}}, 0
function init()
  wrk.headers["Content-Type"] = "text/plain;charset=UTF-8"
  wrk.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"
  for i, body in ipairs(bodies) do ready[i] = wrk.format("POST", "/v1/events", nil, body) end
end
function request() at = at % #ready + 1; return ready[at] end
"""
    )
    return path


def _wrk(wrk: str, served: Served, script: Path, *, seconds: int, connections: int) -> Measured:
    counted, cpu_s = served.counted(), _cpu_s(served.pid)
    url = f"http://127.0.0.1:{served.port}"
    done = subprocess.run(
        [wrk, "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script), url],
        capture_output=True, text=True, check=True, timeout=seconds + 30,
    )  # fmt: skip
    used = _cpu_s(served.pid) - cpu_s
    counted = served.counted() - counted
    said = done.stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(f"not every request was answered with 202:\n{said}")
    return Measured(
        requests_per_s=float(_found(r"Requests/sec:\s+([\d.]+)", said)),
        cpu_s_per_request=used / int(_found(r"(\d+) requests in", said)),
        p50_ms=_ms(_found(r"50%\s+([\d.]+\w+)", said)),
        p99_ms=_ms(_found(r"99%\s+([\d.]+\w+)", said)),
        spooled_share=counted["spooled_records"] / max(1, counted["spooled_records"] + counted["published_records"]),
    )


def _percent(share: float) -> str:
    return f"{share:.2%}" if share else "0"


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise RuntimeError(f"wrk did not say {pattern!r}:\n{text}")
    return match[1]


def _ms(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]  # wrk's own format
    return float(number) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit]


def _cpu_s(pid: int) -> float:
    """Return the CPU seconds a process has used, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
