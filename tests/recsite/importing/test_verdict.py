"""Whether an import is usable, and what of it is too late."""

from __future__ import annotations

from pathlib import Path

import pytest

from recsite.importing.checkpoint import Progress
from recsite.importing.formats import open_source
from recsite.importing.sorted_source import MendCount, Notes
from recsite.importing.verdict import Verdict, closing_lines, too_late, verdict_of
from tests.recsite.importing.files import HEAD, write
from tracking.contract.events import log_key
from tracking.contract.user_key import UserKey
from tracking.log.base import partition_for


@pytest.mark.parametrize(
    ("appended", "refused", "late", "verdict"),
    [
        (0, 0, 0, Verdict.UNUSABLE), (0, 5, 0, Verdict.UNUSABLE), (4, 5, 0, Verdict.UNUSABLE),
        (5, 5, 0, Verdict.WITH_LOSSES), (5, 0, 1, Verdict.WITH_LOSSES), (5, 0, 0, Verdict.COMPLETE),
    ],
)  # fmt: skip
def test_the_status_says_whether_an_import_is_usable(appended: int, refused: int, late: int, verdict: Verdict) -> None:
    progress = Progress(fingerprint="", appended=appended, refused=refused, too_late=late)
    assert verdict_of(progress) is verdict


def test_the_lines_add_up_and_name_reasons_units_and_mends() -> None:
    progress = Progress(fingerprint="", rows=10, appended=7, left_out={"no time": 3}, too_late=2, events=6, records=5)
    notes = Notes(times={"ms": 10}, mends={"price reread": MendCount(count=4, sample="9,5")})
    assert list(closing_lines(progress, notes)) == [
        "10 rows read = 5 appended + 3 left out + 2 too late; 6 events in 5 records",
        "  left out 3: no time",
        "times read as: ms (10)",
        "  mended 4: price reread, as in 9,5",
    ]


def test_too_late_is_counted_by_the_partition_of_the_user(tmp_path: Path) -> None:
    users = [str(number) for number in range(20)]
    rows = "".join(f"{1_430_623_510 + late},{user},view,a\n" for user in users for late in (0, 60))
    source = open_source(write(tmp_path / "events.csv", HEAD + rows), site="shop")
    mine = sum(partition_for(log_key("shop", UserKey(f"u:{user}")), 2) == 1 for user in users)

    assert 0 < mine < 20
    assert too_late(source, {0: 0, 1: 1_430_623_540_000}) == mine
    assert too_late(source, {0: 1_430_623_540_000, 1: 1_500_000_000_000}) == 20 + mine
    assert too_late(source, {0: 0, 1: 0}) == 0
