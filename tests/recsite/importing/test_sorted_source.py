"""The same events whatever the order of rows, the split into files and their packing; every row is accounted for."""

from __future__ import annotations

import gzip
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsite.importing.base import ImportOptions
from recsite.importing.checkpoint import Checkpoint, Progress
from recsite.importing.formats import choose, open_chosen
from recsite.importing.loading import Importer
from recsite.importing.verdict import closing_lines
from tests.recsite.importing.files import HEAD
from tracking.contract.parsing import encode_record
from tracking.log import open_log

GOOD = st.builds(
    "{}{},{},{},{},{}\n".format,
    st.integers(1_430_622_000, 1_430_622_005),
    st.sampled_from(["", "000"]),
    st.sampled_from(["7", "8"]),
    st.sampled_from(["view", "addtocart", "transaction"]),
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from(["", "t1"]),
)
GARBAGE = st.text(st.characters(codec="utf-8", exclude_characters="\x1a"), max_size=30).map(
    lambda text: " ".join(text.split()) + "\n"
)
PACKING: list[Callable[[bytes], bytes]] = [
    bytes, gzip.compress, lambda data: pa.compress(data, codec="zstd", asbytes=True),
]  # fmt: skip


def written(folder: Path, shards: list[list[str]], pack: Callable[[bytes], bytes]) -> list[Path]:
    paths = []
    for number, rows in enumerate(shards):
        paths.append(folder / f"part-{number}")
        paths[-1].write_bytes(pack((HEAD.strip() + ",transactionid\n" + "".join(rows)).encode()))
    return paths


def imported(paths: list[Path], folder: Path) -> tuple[Progress, str, list[bytes]]:
    source = open_chosen(choose(paths, file_format="retailrocket"), ImportOptions(site="shop"))
    events = [encode_record(record) for unit in source.units() for record in unit.records]
    name = uuid.uuid4().hex
    importer = Importer(
        source,
        open_log(f"memory://{name}?partitions=1"),
        checkpoint=Checkpoint(folder / f"{name}.json", "one"),
        report_path=folder / f"{name}.tsv",
        on_progress=lambda progress: None,
    )
    progress = importer.run()
    return progress, next(closing_lines(progress, None)), events


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.lists(GOOD, min_size=1, max_size=30), st.randoms(), st.integers(1, 3), st.sampled_from(PACKING))
def test_order_shards_and_packing_change_nothing(
    rows: list[str], random: object, n_shards: int, pack: Callable[[bytes], bytes]
) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    shards = [shuffled[number::n_shards] for number in range(n_shards)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        progress, _, expected = imported(written(folder, [rows], bytes), folder)
        assert progress.rows == len(rows)
        assert imported(written(folder, shards, pack), folder)[2] == expected


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(GOOD, GARBAGE), max_size=30))
def test_read_is_appended_and_left_out_whatever_the_rows_are(rows: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        progress, line, events = imported(written(folder, [rows], bytes), folder)
    n_rows = sum(bool(row.strip()) for row in rows)
    assert progress.rows == n_rows
    assert progress.appended + sum(progress.left_out.values()) == n_rows
    assert progress.events >= len(events) == progress.records
    assert line.startswith(f"{n_rows} rows read = {progress.appended} appended + {n_rows - progress.appended} left out")
