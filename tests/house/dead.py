"""Names that nothing uses."""

from __future__ import annotations

from tests.house.common import Finding


def check() -> list[Finding]:
    """Return names that no code of the product uses."""
    return []
