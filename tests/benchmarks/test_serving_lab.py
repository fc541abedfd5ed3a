"""A web process that cannot start says so at once, however long a large catalogue may take to load."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.serving_lab import Lab


@pytest.mark.slow
def test_a_process_that_ends_is_not_waited_for(tmp_path: Path) -> None:
    made = Lab(tmp_path)
    made.ready_within_s = 3_600.0

    with pytest.raises(SystemExit, match=r"(?s)no_such_module:application: ended with \d+\n.*no_such_module"):
        made.start_web("no_such_module:application", workers=1)

    made.close()
