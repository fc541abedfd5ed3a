"""A log written to an archive, and read back."""

from __future__ import annotations

import polars as pl

from features.archive.writer import ArchiveFolder, ArchiveWorker
from tests.features.conftest import World


def archive_all(world: World, folder: ArchiveFolder, *, flush_every: int = 10**9) -> None:
    worker = ArchiveWorker(world.log, world.store, folder, flush_s=1e9)
    steps = 0
    while worker.step(0.1) or steps < 3:
        steps += 1
        if steps % flush_every == 0:
            worker.flush()
    worker.close()


def frame_of(folder: ArchiveFolder) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(path) for path in folder.files()])
