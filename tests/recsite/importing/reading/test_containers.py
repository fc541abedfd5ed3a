"""Packed files are told from their content, and damaged ones are named."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from recsite.importing.base import InvalidSource, Shard
from recsite.importing.reading.containers import head_of, opened, parquet_file, shards_of

TEXT = b"\xef\xbb\xbfuser,item\n" + b"ada,mug\n" * 5_000


def zipped(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


PACKED = {
    "plain": TEXT,
    "gzip": gzip.compress(TEXT),
    "two gzip members": gzip.compress(TEXT[:100]) + gzip.compress(TEXT[100:]),
    "bzip2": bz2.compress(TEXT),
    "xz": lzma.compress(TEXT),
    "zstd": pa.compress(TEXT, codec="zstd", asbytes=True),
    "zip": zipped(("log.csv", TEXT)),
    "gzip in zip": zipped(("a/", b""), ("__MACOSX/x", b"no"), ("a/log.csv.gz", gzip.compress(TEXT))),
}


@pytest.mark.parametrize("kind", PACKED)
def test_a_file_is_unpacked_whatever_it_is_called(kind: str, tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_bytes(PACKED[kind])
    (shard,) = shards_of([tmp_path / "log.txt"])
    with opened(shard) as handle:
        assert handle.read() == TEXT
    assert head_of(shard).startswith(b"user,item\nada")


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz", "zstd", "zip"])
def test_a_file_that_is_cut_off_is_named(kind: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(PACKED[kind][: len(PACKED[kind]) // 2])

    def read() -> None:
        for shard in shards_of([tmp_path / "log"]):
            with opened(shard) as handle:
                handle.read()

    with pytest.raises(InvalidSource, match=r"log is .*fetch it again"):
        read()


def test_folders_and_patterns_are_their_files_by_name(tmp_path: Path) -> None:
    for name in ("b-2.json", "b-1.json", ".hidden", "_SUCCESS", "deep/c.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    assert [shard.name for shard in shards_of([tmp_path])] == ["b-1.json", "b-2.json", "c.json"]
    assert [shard.name for shard in shards_of([tmp_path / "b-*.json", tmp_path / "b-1.json"])] == [
        "b-1.json",
        "b-2.json",
    ]
    for missing in ("none", "none*"):
        with pytest.raises(InvalidSource, match="does not exist"):
            shards_of([tmp_path / missing])


def test_parquet_begins_with_its_columns_and_has_to_lie_unpacked(tmp_path: Path) -> None:
    pl.DataFrame({"user": [1], "item": [2]}).write_parquet(tmp_path / "log")
    assert head_of(Shard(tmp_path / "log")) == b"user,item\n"
    (tmp_path / "log.gz").write_bytes(gzip.compress((tmp_path / "log").read_bytes()))
    with pytest.raises(InvalidSource, match="unpack it first"):
        head_of(Shard(tmp_path / "log.gz"))
    (tmp_path / "log").write_bytes(b"PAR1 and no more")
    with pytest.raises(InvalidSource, match="damaged Parquet"):
        parquet_file(Shard(tmp_path / "log"))


@pytest.mark.parametrize("text", ['[{"a": 1}]', '\n {"a": 1}'])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_head_is_utf_8_from_its_first_object(text: str, encoding: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(text.encode(encoding))
    assert head_of(Shard(tmp_path / "log")).startswith(b'{"a"')
