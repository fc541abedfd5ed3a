"""Prometheus beside the installation, with the rules of ``deploy/prometheus/alerts.yml`` made to answer within seconds.

Expressions stay as they are, and so do all thresholds of shares; only lengths of time and a size shrink: windows by
sixty (an hour is a minute), ``for`` to a second, ages as ``SHORTENED`` says.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

import yaml

from benchmarks.serving_lab import PROJECT, free_port

RULES: Final = PROJECT / "deploy/prometheus/alerts.yml"
SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
FASTER: Final = 60
SHORTENED: Final = {
    # alert: (what stands in its expression, what stands there in a drill)
    "PeriodicWorkStopped": ("3 * 3600", "25"),
    "SpoolFilling": ("256 * 1024 * 1024", "16 * 1024"),
    "StreamBehind": ("> 30", "> 3"),
    "ConfigurationStale": ("> 600", "> 12"),
    "RecordQuarantined": ("< 3600", "< 20"),
    "ClockOff": ("< 300", "< 15"),
}
NOT_HERE: Final = {"GpuLost": "needs a GPU that can be lost", "DataDrift": "needs a week of events"}
"""Alerts whose fault cannot be made by this lab, and why; promtool tests their rules (``alerts_test.yml``)."""
_WINDOW: Final = re.compile(r"(\[|offset )(\d+)([smhd])(\]?)")


def names() -> list[str]:
    """Return the names of all alerts that are deployed."""
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule]


def shortened(*, faster: int = FASTER) -> dict[str, Any]:
    """Return the deployed rules with shorter times.

    Raises
    ------
    ValueError
        ``SHORTENED`` names a text that an alert no longer has.
    """

    def shorter(match: re.Match[str]) -> str:
        return f"{match[1]}{max(3, int(match[2]) * SECONDS[match[3]] // faster)}s{match[4]}"

    rules: dict[str, Any] = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    for group in rules["groups"]:
        group["interval"] = "1s"
        for rule in group["rules"]:
            rule["expr"] = _WINDOW.sub(shorter, rule["expr"])
            if "for" in rule:
                rule["for"] = "1s"
            if rule.get("alert") in SHORTENED:
                long, short = SHORTENED[rule["alert"]]
                if long not in rule["expr"]:
                    raise ValueError(f"{rule['alert']}: {long!r} is not in {rule['expr']!r}; correct SHORTENED")
                rule["expr"] = rule["expr"].replace(long, short)
    return rules


class Prometheus:
    """The real thing, asking the web processes each second; a context manager."""

    def __init__(
        self,
        folder: Path,
        *,
        web_ports: Sequence[int] = (),
        worker_ports: Sequence[int] = (),
        faster: int = FASTER,
    ) -> None:
        program = shutil.which("prometheus")
        if program is None:
            raise SystemExit("prometheus is missing; apt install prometheus")
        self._port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "alerts.yml").write_text(yaml.safe_dump(shortened(faster=faster)), encoding="utf-8")
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": ["alerts.yml"],
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{port}" for port in ports]}]}
                for job, ports in (("recsite-web", web_ports), ("recsite-workers", worker_ports))
                if ports
            ],
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
        with (folder / "prometheus.out").open("wb") as out:
            self._process = subprocess.Popen(
                [
                    program, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self._port}", "--log.level=warn",
                ],
                stdout=out, stderr=out,
            )  # fmt: skip

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire now."""
        try:
            found = self._ask("/api/v1/alerts")["alerts"]
        except OSError:
            return set()
        return {alert["labels"]["alertname"] for alert in found if alert["state"] == "firing"}

    def _ask(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=5) as answer:
            return json.load(answer)["data"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        self._process.wait(20)
