"""``up --data`` takes what ``import_events`` takes, and refuses anything else before a process is started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from recsite.supervisor.up import Up

TABLE = "customer;product;when\nc1;K1;1760000000\n"
OTTO = '{"session": 1, "events": [{"aid": 9, "ts": 1760000000000, "type": "clicks"}]}\n'


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return the arguments of ``demo_data`` of each start, in place of the starts."""
    found: list[list[str]] = []
    monkeypatch.setattr(Up, "run", lambda self: found.append([*self.data_arguments]))
    return found


def test_a_pattern_of_shards_is_one_log(tmp_path: Path, given: list[list[str]]) -> None:
    for number in range(2):
        (tmp_path / f"shard-{number}.jsonl").write_text(OTTO)

    call_command("up", "--demo", "--data", str(tmp_path / "*.jsonl"), "--format", "otto")

    assert given == [["--data", str(tmp_path / "*.jsonl"), "--format=otto"]]


def test_columns_and_words_of_a_shop_s_own_table_are_passed_on(tmp_path: Path, given: list[list[str]]) -> None:
    (tmp_path / "export.csv").write_text(TABLE)

    call_command(
        "up", "--demo", "--data", str(tmp_path), "--map", "item=product", "--map", "time=when:s", "--event", "a=b"
    )

    assert given == [["--data", str(tmp_path), "--map=item=product", "--map=time=when:s", "--event=a=b"]]


@pytest.mark.parametrize("written", ["nothing.csv", "*.nothing", "export.csv"])
def test_what_cannot_be_read_is_refused_before_the_start(tmp_path: Path, given: list[list[str]], written: str) -> None:
    (tmp_path / "export.csv").write_text(TABLE)

    with pytest.raises(CommandError, match=r"--data: .*(does not exist|no known format)"):
        call_command("up", "--demo", "--data", str(tmp_path / written))
    assert given == []


def test_without_data_the_shop_is_simulated(given: list[Any]) -> None:
    call_command("up", "--demo")
    assert given == [[]]
