"""What one caller may do to all others: the dearest requests, made-up ids, one address that sends for a thousand.

One module a part; each has ``measure(quick=…)``, which returns its figures.
"""

from __future__ import annotations

import importlib
import os
import secrets
from typing import Final

PARTS: Final = ("dearest", "honest", "counts", "votes")
"""Modules of this package, in the order in which they run."""


def run(*, quick: bool) -> dict[str, float]:
    """Run every part, one after the other, and return the figures of all."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")
    os.environ.setdefault("RECSITE_SECRET_KEY", secrets.token_urlsafe(50))
    import django

    django.setup()  # votes and counts go through functions of collect
    figures: dict[str, float] = {}
    for name in PARTS:
        figures |= importlib.import_module(f"benchmarks.attack.{name}").measure(quick=quick)
    return figures
