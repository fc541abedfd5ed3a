"""Envelopes and records become events again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from recsite.importing.formats import open_source
from tests.recsite.importing.files import records, refusals, write


def envelope(ts: int, event_id: str, **more: Any) -> str:
    event = {"event_id": event_id, "event": "view_item", "ts": ts, "params": {"items": [{"item_id": "mug"}]}}
    return json.dumps({"user_id": "ada", "events": [event], **more})


def test_own_lines_are_read_in_order_of_time_and_keep_good_events(tmp_path: Path) -> None:
    bad = json.dumps(
        {"user_id": "ada", "events": [{"event_id": "event-03", "event": "view_item", "ts": 3_000, "params": {}}]}
    )
    lines = [
        envelope(2_000, "event-02"),
        "",
        bad,
        "nonsense",
        envelope(1_000, "event-01"),
        json.dumps({"events": [{}]}),
    ]
    source = open_source(write(tmp_path / "log.jsonl", "\n".join(lines)), site="shop")

    found = records(source)

    assert [record.events[0].event_id for record in found] == ["event-01", "event-02"]
    assert {(record.site, record.source, record.user_key) for record in found} == {("shop", "import", "u:ada")}
    assert [record.received_at_ms for record in found] == [1_000, 2_000]
    assert {line for line, _ in refusals(source)} == {3, 4, 6}


def test_own_lines_take_records_of_another_log(tmp_path: Path) -> None:
    record = {
        "v": "1.0", "site": "elsewhere", "received_at_ms": 5_000, "anonymous_id": "a" * 16,
        "events": [{"event_id": "event-01", "event": "page_view", "ts": 5_000}],
    }  # fmt: skip

    (found,) = records(open_source(write(tmp_path / "log.jsonl", json.dumps(record)), site="shop"))

    assert (found.site, found.source, found.user_key) == ("shop", "import", f"a:{'a' * 16}")
