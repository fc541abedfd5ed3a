"""Which importer reads which file, and that each is offered and documented."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest
from django.core.management import load_command_class

from recsite.importing import sources
from recsite.importing.base import InvalidSource, Shard
from recsite.importing.formats import FORMATS, choose, detect_format, format_help, open_source
from recsite.importing.sources import online_retail
from tests.recsite.importing.files import HEAD, ROOT, write

SAMPLES = {
    "ga4": b'{"event_name": "page_view", "event_timestamp": "1"}\n',
    "jsonl": b'{"user_id": "ada", "events": []}\n',
    "retailrocket": HEAD.encode(),
}


def test_every_importer_is_documented_and_every_documented_importer_exists() -> None:
    page = (ROOT / "docs/real-data.md").read_text()
    table = page.partition("| format | becomes |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` ", table, re.MULTILINE)) == set(FORMATS)


def test_every_importer_has_a_test_of_its_own() -> None:
    modules = {path.stem for path in Path(sources.__path__[0]).glob("[a-z]*.py")}
    tests = {path.stem.removeprefix("test_") for path in Path(__file__).parent.glob("sources/test_*.py")}
    assert modules == tests


@pytest.mark.parametrize("command", ["import_events", "demo_data", "up"])
def test_every_importer_is_offered_by_the_commands(command: str) -> None:
    parser = load_command_class("recsite", command).create_parser("manage.py", command)
    (offered,) = [action.choices for action in parser._actions if "--format" in action.option_strings]
    assert list(offered or ()) == list(FORMATS)
    assert all(f"  {name} " in format_help() for name in FORMATS)


def test_a_file_is_recognised_by_one_importer(tmp_path: Path) -> None:
    for name, head in SAMPLES.items():
        (tmp_path / "log").write_bytes(b"\xef\xbb\xbf \n" + head)
        assert detect_format(tmp_path / "log") == name
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "log")
    with pytest.raises(InvalidSource, match="--map item="):
        detect_format(tmp_path / "log")
    pl.DataFrame({name: [1] for name in online_retail.COLUMNS}).write_parquet(tmp_path / "log")
    assert detect_format(tmp_path / "log") == "online_retail"


def test_a_folder_is_recognised_by_the_files_in_it(tmp_path: Path) -> None:
    with pytest.raises(InvalidSource, match="holds no file"):
        detect_format(tmp_path)
    write(tmp_path / "events.csv", HEAD)
    write(tmp_path / "readme.txt", "terms of use")
    assert detect_format(tmp_path) == "retailrocket"
    assert choose([tmp_path]).skipped == ("readme.txt",)
    write(tmp_path / "lines.jsonl", '{"user_id": "ada", "events": []}')
    with pytest.raises(InvalidSource, match=r"retailrocket \(events\.csv\).*--format"):
        detect_format(tmp_path)
    assert choose([tmp_path], file_format="jsonl").shards == (Shard(tmp_path / "lines.jsonl"),)


@pytest.mark.parametrize("name", ["missing.csv", "empty.csv", "picture.csv", "cut.jsonl", "none*.csv"])
def test_a_file_that_cannot_be_used_is_refused_with_a_remedy(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "picture.csv").write_bytes(b"\x89PNG")
    (tmp_path / "cut.jsonl").write_bytes(b"\x1f\x8b\x08\x00")
    with pytest.raises(InvalidSource, match=r"does not exist|--format|fetch it again"):
        open_source(tmp_path / name, site="shop")
