"""The shoppers of the serving benchmarks, by number."""

from __future__ import annotations


def shopper(number: int) -> str:
    """Return the anonymous id of a shopper."""
    return f"{number:032x}"
