"""Every packing of a stream is told from its first bytes, read to its end, and known when it is cut off."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Callable

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.feed_files.packing import PACKINGS, PEEK_BYTES, damages, packing_of

PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda data: pa.compress(data, codec="zstd", asbytes=True),
}


def unpacked(data: bytes) -> bytes:
    packing = packing_of(data[:PEEK_BYTES])
    assert packing is not None
    return packing.opened(io.BufferedReader(io.BytesIO(data))).read()  # type: ignore[arg-type]


def test_each_has_a_writer_here() -> None:
    assert list(PACK) == [each.name for each in PACKINGS]
    assert all(len(each.magic) <= PEEK_BYTES for each in PACKINGS)


@given(st.sampled_from(sorted(PACK)), st.binary(min_size=1, max_size=3_000))
def test_what_was_packed_comes_out(name: str, data: bytes) -> None:
    packed = PACK[name](data)
    found = packing_of(packed)
    assert found is not None
    assert found.name == name
    assert unpacked(packed) == data


@pytest.mark.parametrize("name", PACK)
def test_what_was_cut_off_is_damaged(name: str) -> None:
    packed = PACK[name](b"id,title\n" * 50_000)
    with pytest.raises(damages()):
        unpacked(packed[: len(packed) // 2])


@given(st.text(max_size=50))
def test_text_is_not_packed(text: str) -> None:
    assert packing_of(f"id,{text}".encode()) is None
