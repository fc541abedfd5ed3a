"""What every benchmark prints and writes: a table for people, one line of JSON for machines."""

from __future__ import annotations

import json
import math
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

__all__ = ["Console", "NotHere", "figures_line", "machine", "print_table"]

FILE_WIDTH: Final = 140
_LIBRARIES = ("onnxruntime-gpu", "numpy", "implicit", "Django", "redis", "kafka-python")


class NotHere(Exception):
    """What was to be measured is not on this machine; the message is one sentence with the remedy."""


def machine() -> dict[str, str | int | float]:
    """Describe the machine, without its name."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_average": round(os.getloadavg()[0], 2),
        **{name: _version(name) for name in _LIBRARIES},
    }


def figures_line(name: str, figures: Mapping[str, float]) -> str:
    """Return ``{"benchmark": …, "machine": …, "figures": …}`` as one line; a figure that is no number is an error."""
    for key, value in figures.items():
        if not math.isfinite(value):
            raise ValueError(f"{name}: the figure {key}={value} is not a finite number")
    rounded = {key: float(f"{value:.6g}") for key, value in figures.items()}
    return json.dumps({"benchmark": name, "machine": machine(), "figures": rounded})


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, caption: str = "") -> None:
    """Print a table; numbers to the right, text to the left."""
    table = Table(title=title, caption=caption or None, title_justify="left", caption_justify="left")
    for position, column in enumerate(columns):
        is_number = any(isinstance(row[position], int | float) for row in rows)
        table.add_column(column, justify="right" if is_number else "left")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    # In a file there is no edge to cut columns at.
    Console(width=None if sys.stdout.isatty() else FILE_WIDTH).print(table)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.3f}" if abs(value) < 10 else f"{value:,.1f}"
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"
