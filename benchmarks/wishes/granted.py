"""Starts a shop and its console, and lets Chromium carry out wishes one after the other."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.serving_lab import PROJECT, Lab

DRIVER: Final = Path(__file__).with_name("drive.mjs")
PATIENCE_MS: Final = 60_000
"""How long one step, or what the shop shows, may take on a busy machine."""
WISH_S: Final = 300

POINT_AND_CLICK_S: Final = 1.1 + 0.2
HOMING_S: Final = 0.4
KEY_S: Final = 0.28
"""Seconds to point at something and click, to move a hand between mouse and keys, and to press a key, of a person who
types 40 words a minute: Card, Moran and Newell, "The Keystroke-Level Model", Communications of the ACM 23 (7), 1980."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """What a wish took.

    Attributes
    ----------
    of : str
        Whose documentation has it.
    seconds : float
        From the home page to the last answer, with nobody's hands in between.
    notes : str
        What the console asked to have confirmed, or said.
    problem : str
        Why the shop does not show what was wished; empty where it does.
    """

    name: str
    of: str
    wish: str
    clicks: int
    fields: int
    keys: int
    seconds: float
    notes: str
    problem: str

    @property
    def seconds_by_hand(self) -> float:
        """Seconds with a person's times for clicks and keys, by the keystroke-level model without its pauses."""
        fields_s = self.fields * (POINT_AND_CLICK_S + 2 * HOMING_S)
        return self.seconds + self.clicks * POINT_AND_CLICK_S + fields_s + self.keys * KEY_S


def carry_out(made: Lab, *, names: Sequence[str] = (), pictures: Path | None = None) -> list[Granted]:
    """Carry out the wishes of these names, or all of them, in a shop of its own.

    Raises
    ------
    SystemExit
        Chromium or Node is missing, the shop cannot be made, or the browser cannot be driven.
    """
    node, chromium = shutil.which("node"), os.environ.get("CHROMIUM") or shutil.which("chromium")
    if node is None or chromium is None or not (PROJECT / "sdk/node_modules/playwright-core").exists():
        raise SystemExit("wishes need Node with `npm ci` done in sdk/, and Chromium on PATH or in CHROMIUM")
    made.environment["RECSITE_ALLOWED_HOSTS"] = "127.0.0.1"
    filled = subprocess.run(
        [sys.executable, "-m", "benchmarks.wishes.world"],
        cwd=PROJECT, env=made.environment, capture_output=True, text=True, check=False, timeout=WISH_S,
    )  # fmt: skip
    if filled.returncode:
        raise SystemExit(filled.stderr[-2_000:])
    world = json.loads(filled.stdout.splitlines()[-1])
    port, web = made.start_web("recsite.asgi:application", workers=1)
    asked = {**world, "base": f"http://127.0.0.1:{port}", "names": list(names), "patience_ms": PATIENCE_MS}
    try:
        driven = subprocess.run(
            [node, str(DRIVER), chromium, *([str(pictures)] if pictures is not None else [])],
            input=json.dumps(asked), capture_output=True, text=True, check=False, timeout=WISH_S * 20,
        )  # fmt: skip
    finally:
        made.stop(web)
    if driven.returncode:
        raise SystemExit(driven.stderr[-2_000:])
    return [Granted(**json.loads(line)) for line in driven.stdout.splitlines()]
