"""Containers: unpacked within limits; what is no feed is named with what to do."""

from __future__ import annotations

import contextlib
import gzip
import io
import tarfile
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.feed_files.containers import Limits, unpacked
from features.feed_files.packing import damages
from features.feed_files.report import FeedBroken, FeedReport
from tests.features.feed_files.test_packing import PACK
from tests.features.feed_files.writing import CONTAINERS, in_zip

FEED = b"id,title\n1,Mug\n"


def opened(data: bytes, limits: Limits | None = None) -> bytes:
    return unpacked(io.BytesIO(data), FeedReport(), limits=limits).read()


@pytest.mark.parametrize("pack", [*CONTAINERS, *PACK.values()])
def test_what_was_packed_comes_out(pack: object) -> None:
    assert opened(pack(FEED)) == FEED  # type: ignore[operator]


@pytest.mark.parametrize("pack", [in_zip, *PACK.values()])
def test_what_comes_out_has_a_limit(pack: object) -> None:
    bomb = pack(b"0" * 5_000_000)  # type: ignore[operator]

    assert len(bomb) < 50_000
    with pytest.raises(FeedBroken, match="holds more than 1,000,000 bytes; split it"):
        opened(bomb, Limits(unpacked_bytes=1_000_000))


def test_reading_has_a_limit_of_time() -> None:
    seconds = iter(range(0, 10_000, 100))

    with pytest.raises(FeedBroken, match="not read within 250 s"):
        opened(gzip.compress(FEED * 100_000), Limits(read_s=250, clock=lambda: next(seconds)))


def test_containers_within_containers_have_a_limit() -> None:
    packed = FEED
    for _ in range(4):
        packed = gzip.compress(packed)

    with pytest.raises(FeedBroken, match="packed more than 3 times"):
        opened(packed)


def of_files(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, FEED)
    return out.getvalue()


def in_tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("feed.csv"), io.BytesIO())
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (of_files("[Content_Types].xml", "xl/workbook.xml"), "Excel workbook .* save it as CSV"),
        (of_files("a.csv", "b.csv"), "2 files .a.csv, b.csv.; pack one feed alone"),
        (of_files(), "0 files"),
        (in_zip(FEED)[:-30], "zip archive that cannot be read"),
        (b"%PDF-1.7\n", "a PDF document; export"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Excel workbook"),
        (b"PAR1\x00", "a Parquet file"),
        (in_tar(), "a tar archive"),
    ],
)
def test_what_is_no_feed_is_named_with_a_remedy(data: bytes, said: str) -> None:
    with pytest.raises(FeedBroken, match=said):
        opened(data)


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(0, 200), st.binary(max_size=4), st.integers(0, 8)), min_size=1, max_size=3))
def test_a_damaged_archive_is_named_whatever_zipfile_makes_of_it(changes: list[tuple[int, bytes, int]]) -> None:
    data = bytearray(in_zip(FEED))
    for at, put_in, cut in changes:
        data[at : at + cut] = put_in
    with contextlib.suppress(FeedBroken, *damages(), zipfile.BadZipFile):  # the last ones are named by the reader
        opened(bytes(data))
