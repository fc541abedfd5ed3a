"""The JavaScript SDK beside other trackers: bytes a shopper loads, and events that survive a navigation.

``sdk/bench/run.mjs`` drives a real Chromium. All libraries run with their defaults against one collector on another
origin that takes 150 ms for a preflight and 150 ms for an answer; pages are ``no-store``. Rudderstack needs its control
plane to start, so only its size is measured. Umami's tracker is in no package registry: set ``UMAMI_SCRIPT`` to the
``script.js`` of an installation, and it is measured, too.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

from benchmarks.report import print_table

SDK: Final = Path(__file__).parent.parent / "sdk"
ROUNDS: Final = 100
PEER_ROUNDS: Final = 24
QUICK_PEER_ROUNDS: Final = 6
INSTALL_TIMEOUT_S: Final = 300
RUN_TIMEOUT_S: Final = 600


class ToolMissing(RuntimeError):
    """Node, its packages or Chromium cannot be had here."""


def run(*, quick: bool) -> dict[str, float]:
    """Measure, print the table, and return the figures."""
    for folder in (SDK, SDK / "bench"):
        install(folder)
    peer_rounds = QUICK_PEER_ROUNDS if quick else PEER_ROUNDS
    measured = json.loads(node("run.mjs", str(ROUNDS), str(peer_rounds), cwd=SDK / "bench", timeout_s=RUN_TIMEOUT_S))
    rows: list[dict[str, Any]] = measured["rows"]
    ours = next(row for row in rows if row["name"] == "recsite")
    print_table(
        "Bytes (gzip -9), and events that survive a navigation",
        ("library", "gzip bytes", "ours = 1", "delivered"),
        [
            (
                f"{row['name']} (tracker)" if row is ours else row["name"],
                row["gzip_bytes"],
                row["gzip_bytes"] / ours["gzip_bytes"],
                f"{row['delivered']}/{row['rounds']}" if row["rounds"] else "not measured",
            )
            for row in rows
        ],
        caption=f"ours with the widget: {measured['ours']['rec']:,} bytes; the widget: {measured['ours']['widget']:,}",
    )
    return {
        "tracker_gzip_bytes": measured["ours"]["tracker"],
        "widget_gzip_bytes": measured["ours"]["widget"],
        "both_gzip_bytes": measured["ours"]["rec"],
        "delivered_on_navigation": ours["delivered"] / ours["rounds"],
    }


def install(folder: Path) -> None:
    """Install the pinned packages of ``folder`` where they are missing or another version."""
    lock, done = folder / "package-lock.json", folder / "node_modules" / ".package-lock.json"
    if done.exists() and done.stat().st_mtime >= lock.stat().st_mtime:
        return
    _command("npm", "ci", "--no-audit", "--no-fund", cwd=folder, timeout_s=INSTALL_TIMEOUT_S)


def node(*arguments: str, cwd: Path, timeout_s: float) -> str:
    return _command("node", *arguments, cwd=cwd, timeout_s=timeout_s)


def _command(program: str, *arguments: str, cwd: Path, timeout_s: float) -> str:
    """Return what ``program`` wrote; raises ``ToolMissing`` with its own words when it cannot do its work."""
    path = shutil.which(program)
    if path is None:
        raise ToolMissing(f"{program} is not on PATH; the sdk benchmark needs Node 20 or later with npm, and Chromium")
    done = subprocess.run([path, *arguments], cwd=cwd, capture_output=True, text=True, timeout=timeout_s, check=False)
    if done.returncode:
        raise ToolMissing(f"{program} {' '.join(arguments)} failed in {cwd.name}/: {done.stderr.strip()[-800:]}")
    return done.stdout
