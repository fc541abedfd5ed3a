"""What a process is once its applications are loaded."""

from __future__ import annotations

import gc


def test_garbage_is_collected_again_and_what_was_imported_is_left_alone() -> None:
    assert gc.isenabled()
    assert gc.get_freeze_count() > 100_000
