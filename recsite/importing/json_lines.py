"""Files of one JSON value a line, read in order of time whatever their order is, in little memory."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np

from recsite.importing.base import InvalidSource

MAX_LINE: Final = 2 << 20
_GZIP: Final = b"\x1f\x8b"

TimeOf = Callable[[bytes], int | None]


class SortedLines:
    """The lines of a file by their time; equal and unknown times keep the order of the file.

    Only times and offsets are kept: 24 bytes a line.

    Parameters
    ----------
    path : Path
    time_of : callable
        Returns the time of a line in milliseconds, ``None`` when it has none: it then goes with the line before it.
    """

    def __init__(self, path: Path, time_of: TimeOf) -> None:
        self._path = path
        self._offsets = array("q")
        times = array("q")
        latest = 0
        with path.open("rb") as handle:
            if handle.read(2) == _GZIP:
                raise InvalidSource(f"{path} is packed; unpack it first: gunzip {path.name}")
            handle.seek(0)
            offset = 0
            while line := handle.readline(MAX_LINE + 1):
                if len(line) > MAX_LINE:
                    raise InvalidSource(f"{path} line {len(times) + 1} is longer than {MAX_LINE} bytes")
                found = time_of(line)
                latest = latest if found is None else found
                times.append(latest)
                self._offsets.append(offset)
                offset += len(line)
        self._order = np.argsort(np.frombuffer(times, np.int64), kind="stable") if times else np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self._offsets)

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Yield (line number from 1, line) in order of time."""
        with self._path.open("rb") as handle:
            for row in self._order.tolist():
                handle.seek(self._offsets[row])
                yield row + 1, handle.readline()
