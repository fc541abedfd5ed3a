"""How much memory a training has needed at most, by the kernel's own record, and what to say beyond its limit."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from recommendations.exceptions import RecommendationError

_FIELD: Final = "VmHWM:"


class MemoryExceeded(RecommendationError):
    """A training needed more memory than its policy allows."""

    def __init__(self, limit_mb: int) -> None:
        super().__init__(
            f"training needs more than {limit_mb:,} MB; raise the limit in the training policy, "
            "or train with manage.py train_spark"
        )


def peak_memory_mb(pid: int | None = None) -> int:
    """Return the greatest resident memory that a process (None: this one) has had, in MB.

    The kernel records it, so that a peak between two looks is seen by the second. 0 where the system does not say,
    and for a process that has ended.
    """
    try:
        lines = Path(f"/proc/{pid or 'self'}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0
    words = next((line.split() for line in lines if line.startswith(_FIELD)), [])
    return int(words[1]) * 1024 // 1_000_000 if len(words) == 3 else 0
