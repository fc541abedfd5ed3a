"""Event ids of imports."""

from __future__ import annotations

from pathlib import Path

from recsite.importing.formats import open_source
from tests.recsite.importing.files import HEAD, records, write


def test_ids_are_the_same_in_every_import_and_different_for_different_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "events.csv", HEAD + "".join(f"1430623510,{n},view,a\n" for n in range(50)))

    first = [record.events[0].event_id for record in records(open_source(path, site="shop"))]
    second = [record.events[0].event_id for record in records(open_source(path, site="shop"))]

    assert first == second
    assert len(set(first)) == 50
