from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from recsite.importing import loading
from recsite.importing.base import InvalidSource, Source
from recsite.importing.checkpoint import Checkpoint, InvalidCheckpoint, fingerprint_of
from recsite.importing.formats import detect_format, open_source
from recsite.importing.loading import Importer
from tracking.contract.events import EventRecord
from tracking.contract.parsing import parse_record
from tracking.log import EventLog, open_log
from tracking.log.memory import MemoryLog

ROOT = Path(__file__).resolve().parents[3]
HEAD = "timestamp,visitorid,event,itemid\n"


def records(source: Source) -> list[EventRecord]:
    return [record for unit in source.units() for record in unit.records]


def refusals(source: Source) -> list[tuple[int, str]]:
    return [(refusal.line, refusal.reason) for unit in source.units() for refusal in unit.refusals]


def in_log(log: EventLog) -> list[EventRecord]:
    return [parse_record(entry.value) for number in range(log.partitions) for entry in log.read_all(number)]


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


# --- formats ---------------------------------------------------------------------------------------------------


def test_retailrocket_rows_become_events_with_their_own_times(tmp_path: Path) -> None:
    path = write(
        tmp_path / "events.csv", HEAD + "1430623510,7,view,a\n1430623535,7,addtocart,a\n1430623600,8,transaction,b\n"
    )
    source = open_source(tmp_path, site="shop")

    found = records(source)

    assert [type(record.events[0]).__name__ for record in found] == ["ViewItem", "AddToCart", "Purchase"]
    assert [record.events[0].occurred_at_ms for record in found] == [1430623510000, 1430623535000, 1430623600000]
    assert {record.source for record in found} == {"import"}
    assert [record.user_key for record in found] == ["u:7", "u:7", "u:8"]
    assert [item["item_id"] for item in source.items()] == ["a", "b"]
    assert detect_format(path) == "retailrocket"


def test_retailrocket_rows_of_one_order_are_one_purchase(tmp_path: Path) -> None:
    rows = "".join(f"1430623600,8,transaction,{item_id}\n" for item_id in "abc") + "1430623601,8,transaction,d\n"
    source = open_source(write(tmp_path / "events.csv", HEAD + rows), site="shop")

    found = records(source)

    assert [[item.item_id for item in record.events[0].params.items] for record in found] == [["a", "b", "c"], ["d"]]  # type: ignore[union-attr]
    assert [unit.rows for unit in source.units()] == [3, 1]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("x,7,view,a", "is not a whole number"), ("1430623510000,7,view,a", "--milliseconds"),
        ("1430623510,7,look,a", "is not one of"), ("1430623510,,view,a", "is empty"), ("1430623510,7", "is not one of"),
    ],
)  # fmt: skip
def test_retailrocket_bad_rows_are_named_and_the_rest_is_kept(tmp_path: Path, row: str, reason: str) -> None:
    source = open_source(write(tmp_path / "events.csv", f"{HEAD}{row}\n1430623510,7,view,a\n"), site="shop")

    assert len(records(source)) == 1
    ((line, given),) = refusals(source)
    assert line == 2
    assert reason in given


def test_ids_are_the_same_in_every_import_and_different_for_different_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "events.csv", HEAD + "".join(f"1430623510,{n},view,a\n" for n in range(50)))

    first = [record.events[0].event_id for record in records(open_source(path, site="shop"))]
    second = [record.events[0].event_id for record in records(open_source(path, site="shop"))]

    assert first == second
    assert len(set(first)) == 50


def online_retail(path: Path, rows: list[tuple[Any, ...]]) -> Path:
    columns = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID")
    pl.DataFrame(rows, schema=columns, orient="row").write_parquet(path)
    return path


MORNING = datetime(2011, 1, 5, 9, 0)  # noqa: DTZ001  (the file's own times have no zone)
EVENING = datetime(2011, 1, 5, 18, 0)  # noqa: DTZ001


def test_online_retail_invoices_become_purchases_and_cancellations_refunds(tmp_path: Path) -> None:
    path = online_retail(
        tmp_path / "online_retail.parquet",
        [
            ("536366", "22633", "HAND WARMER", 6, EVENING, 1.85, 17850.0),
            ("536365", "85123A", "WHITE HEART", 6, MORNING, 2.55, 17850.0),
            ("536365", "71053", "LANTERN", 2, MORNING, 3.39, 17850.0),
            ("536365", "POST", "POSTAGE", 1, MORNING, 18.0, 17850.0),
            ("536367", "85123A", "WHITE HEART", 1, EVENING, 2.55, None),
            ("C536379", "85123A", "WHITE HEART", -1, EVENING, 2.55, 17850.0),
            ("536380", "22633", "damaged", -5, EVENING, 0.0, None),
            ("536381", "DOT", "DOTCOM POSTAGE", 1, EVENING, 50.0, None),
            ("536382", "M", "Manual", 1, EVENING, 7.5, 17850.0),
            ("C536383", "POST", "POSTAGE", -1, EVENING, 18.0, 17850.0),
        ],
    )
    source = open_source(path, site="shop")

    first, *later = records(source)

    purchase = first.events[0].params
    assert (purchase.transaction_id, purchase.value, purchase.currency) == ("536365", 40.08, "GBP")  # type: ignore[union-attr]
    assert first.user_key == "u:17850"
    assert [record.user_key for record in later] == [
        "u:17850", "a:online-retail-536367", "u:17850", "u:17850", "u:17850",
    ]  # fmt: skip
    assert [item.item_id for item in first.events[0].params.items] == ["85123A", "71053"]  # type: ignore[union-attr]
    service = later[2].events[0].params
    assert ([item.item_id for item in service.items], service.value) == (["M"], 7.5)  # type: ignore[union-attr]
    refund = later[3].events[0]
    assert type(refund).__name__ == "Refund"
    assert (refund.params.items[0].quantity, refund.params.value) == (1, 2.55)  # type: ignore[union-attr]
    assert sorted(refusals(source)) == [(7, "no price"), (8, "no item: DOT is a service, and nobody's")]
    assert {item["item_id"]: item["price"] for item in source.items()} == {
        "85123A": "2.55 GBP", "71053": "3.39 GBP", "22633": "1.85 GBP",
    }  # fmt: skip


def test_an_order_beyond_the_limit_of_items_goes_as_several_events_of_one_order(tmp_path: Path) -> None:
    rows = [("536365", f"{number:05d}", "THING", 1, MORNING, 1.0, 1.0) for number in range(450)]
    source = open_source(online_retail(tmp_path / "long.parquet", rows), site="shop")

    (record,) = records(source)

    assert [len(event.params.items) for event in record.events] == [200, 200, 50]  # type: ignore[union-attr]
    assert {event.params.transaction_id for event in record.events} == {"536365"}  # type: ignore[union-attr]
    assert sum(event.params.value for event in record.events) == 450  # type: ignore[union-attr,misc]


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


def ga4_row(name: str, micros: int, **more: Any) -> str:
    params = [
        {"key": "ga_session_id", "value": {"int_value": "1700000000"}},
        {"key": "page_location", "value": {"string_value": "https://shop.example/p"}},
        {"key": "currency", "value": {"string_value": "EUR"}},
        {"key": "search_term", "value": {"string_value": "mug"}},
    ]
    return json.dumps(
        {
            "event_name": name,
            "event_timestamp": str(micros),
            "user_pseudo_id": "123.456",
            "event_params": params,
            **more,
        }
    )


def test_ga4_rows_become_the_events_of_the_same_name(tmp_path: Path) -> None:
    mug = {
        "item_id": "mug", "item_name": "Mug", "item_brand": "(not set)", "item_category": "Kitchen",
        "item_category2": "Mugs", "price": 12.5, "quantity": 2, "item_list_index": "3", "promotion_id": "(not set)",
    }  # fmt: skip
    lines = [
        ga4_row("purchase", 3_000_000, items=[mug], ecommerce={"transaction_id": "T1", "purchase_revenue": 25.0}),
        ga4_row("view_search_results", 2_000_000),
        ga4_row("session_start", 1_000_000),
        ga4_row("view_item", 1_500_000, items=[mug], user_id="ada"),
        ga4_row("view_item", 4_000_000, items=[], user_id="ada"),
        ga4_row("view_item", 4_500_000, items=[mug], user_pseudo_id=None),
    ]
    source = open_source(write(tmp_path / "export.json", "\n".join(lines)), site="shop")

    view, search, purchase = records(source)

    assert (view.user_key, view.events[0].occurred_at_ms, view.events[0].session_id) == ("u:ada", 1_500, "1700000000")
    assert view.anonymous_id == search.anonymous_id == "ga4-" + hashlib.blake2b(b"123.456", digest_size=16).hexdigest()
    assert search.events[0].params.search_term == "mug"  # type: ignore[union-attr]
    bought = purchase.events[0].params
    assert (bought.transaction_id, bought.value, bought.currency) == ("T1", 25.0, "EUR")  # type: ignore[union-attr]
    assert (bought.items[0].quantity, bought.items[0].index, bought.items[0].item_brand) == (2, 3, None)  # type: ignore[union-attr]
    assert {line for line, _ in refusals(source)} == {5, 6}
    (item,) = source.items()
    assert (item["title"], item["category"], item["price"]) == ("Mug", ["Kitchen", "Mugs"], "12.50 EUR")


@pytest.mark.parametrize("name", ["missing.csv", "empty.csv", "picture.csv", "packed.jsonl"])
def test_a_file_that_cannot_be_used_is_refused_with_a_remedy(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "picture.csv").write_bytes(b"\x89PNG")
    (tmp_path / "packed.jsonl").write_bytes(b"\x1f\x8b\x08\x00")
    with pytest.raises(InvalidSource, match=r"does not exist|--format"):
        open_source(tmp_path / name, site="shop")


# --- into the log ----------------------------------------------------------------------------------------------


def make_importer(path: Path, log: EventLog, folder: Path) -> Importer:
    return Importer(
        open_source(path, site="shop"),
        log,
        checkpoint=Checkpoint(folder / "import.json", fingerprint_of(path)),
        report_path=folder / "refused.tsv",
        on_progress=lambda progress: None,
    )


@pytest.fixture
def csv_of_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(loading, "BATCH", 500)
    rows = "".join(
        f"{1430623510 + number},{number % 37},{'look' if number % 500 == 499 else 'view'},{number % 91}\n"
        for number in range(4_000)
    )
    return write(tmp_path / "events.csv", HEAD + rows)


@pytest.fixture
def memory_log() -> MemoryLog:
    log = open_log(f"memory://{uuid.uuid4().hex}?partitions=3")
    assert isinstance(log, MemoryLog)
    return log


def test_everything_is_in_the_log_once_and_bad_rows_in_the_report(
    csv_of_many: Path, memory_log: MemoryLog, tmp_path: Path
) -> None:
    progress = make_importer(csv_of_many, memory_log, tmp_path).run()

    found = in_log(memory_log)
    assert (progress.rows, progress.events, progress.refused) == (4_000, 3_992, 8)
    assert len(found) == len({record.events[0].event_id for record in found}) == 3_992
    report = (tmp_path / "refused.tsv").read_text().splitlines()
    assert [line.split("\t")[0] for line in report] == [str(number) for number in range(501, 4_002, 500)]


def test_a_finished_import_is_not_repeated(csv_of_many: Path, memory_log: MemoryLog, tmp_path: Path) -> None:
    make_importer(csv_of_many, memory_log, tmp_path).run()

    make_importer(csv_of_many, memory_log, tmp_path).run()

    assert len(in_log(memory_log)) == 3_992


class Died(BaseException):
    """Stands for kill -9 at one line of the program."""


@pytest.mark.parametrize("place", ["after the append", "before the append", "after the report"])
@pytest.mark.parametrize("batch", [0, 3, 7])
def test_an_import_that_dies_goes_on_and_doubles_nothing(
    csv_of_many: Path, memory_log: MemoryLog, tmp_path: Path, place: str, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = {
        "after the append": "_append_durably",
        "before the append": "_append_durably",
        "after the report": "_write_refusals",
    }
    original = getattr(Importer, hook[place])
    calls = 0

    def dying(self: Importer, *args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls - 1 < batch:
            return original(self, *args)
        if place == "after the report":
            original(self, *args)
            raise Died

        async def append_then_die() -> None:
            if place == "after the append":
                await original(self, *args)
            raise Died

        return append_then_die()

    with monkeypatch.context() as patched:
        patched.setattr(Importer, hook[place], dying)
        with pytest.raises(Died):
            make_importer(csv_of_many, memory_log, tmp_path).run()

    progress = make_importer(csv_of_many, memory_log, tmp_path).run()

    counts = Counter(record.events[0].event_id for record in in_log(memory_log))
    assert len(counts) == 3_992
    assert set(counts.values()) == {1}
    assert (progress.events, progress.refused) == (3_992, 8)
    assert len((tmp_path / "refused.tsv").read_text().splitlines()) == 8


def test_without_the_intent_the_same_death_would_double(
    csv_of_many: Path, memory_log: MemoryLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: the test above notices what the intent prevents."""
    original = Importer._append_durably

    async def dying(self: Importer, *args: Any) -> None:
        await original(self, *args)
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(Importer, "_append_durably", dying)
        with pytest.raises(Died):
            make_importer(csv_of_many, memory_log, tmp_path).run()
    monkeypatch.setattr(Importer, "_already_in_log", lambda self, intent, encoded: set())

    make_importer(csv_of_many, memory_log, tmp_path).run()

    assert len(in_log(memory_log)) > 3_992


def test_a_changed_file_is_not_taken_for_the_same(csv_of_many: Path, memory_log: MemoryLog, tmp_path: Path) -> None:
    make_importer(csv_of_many, memory_log, tmp_path).run()
    with csv_of_many.open("a") as handle:
        handle.write("1530623510,7,view,a\n")

    with pytest.raises(InvalidCheckpoint, match="--restart"):
        make_importer(csv_of_many, memory_log, tmp_path)


def test_events_of_one_user_stay_in_order(csv_of_many: Path, memory_log: MemoryLog, tmp_path: Path) -> None:
    make_importer(csv_of_many, memory_log, tmp_path).run()

    times: dict[str, list[int]] = {}
    for record in in_log(memory_log):
        times.setdefault(record.user_key, []).append(record.events[0].occurred_at_ms)
    assert all(mine == sorted(mine) for mine in times.values())


def test_a_record_that_breaks_the_contract_goes_to_the_report(memory_log: MemoryLog, tmp_path: Path) -> None:
    path = write(tmp_path / "events.csv", HEAD + f"1430623510,7,view,{'x' * 200}\n1430623511,7,view,a\n")

    progress = make_importer(path, memory_log, tmp_path).run()

    assert (progress.events, progress.refused) == (1, 1)
    line, reason, _ = (tmp_path / "refused.tsv").read_text().split("\t")
    assert line == "2"
    assert "item_id" in reason


@pytest.mark.redis
@pytest.mark.slow
def test_kill_nine_times_and_every_event_is_in_the_log_once(redis_url: str, tmp_path: Path) -> None:
    rows = "".join(f"{1430623510 + number},{number % 997},view,{number % 4001}\n" for number in range(30_000))
    path = write(tmp_path / "events.csv", HEAD + rows)
    log_url = f"{redis_url.rpartition('/')[0]}/7?stream=import-{os.getpid()}&partitions=4"
    environment = {
        **os.environ, "EVENT_LOG_URL": log_url, "REDIS_URL": redis_url, "RECSITE_DATA_DIR": str(tmp_path / "data"),
        "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
    }  # fmt: skip
    (tmp_path / "data").mkdir()
    manage = [sys.executable, str(ROOT / "manage.py")]
    subprocess.run([*manage, "migrate", "-v0"], env=environment, check=True, timeout=120)
    command = [*manage, "import_events", str(path), "--no-items"]
    log = open_log(log_url)
    kills = 0
    while kills < 9:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        before = _progress(tmp_path)
        deadline = time.monotonic() + 60
        while process.poll() is None and _progress(tmp_path) < before + loading.BATCH:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        kills += 1

    finished = subprocess.run(command, env=environment, check=True, timeout=120, capture_output=True, text=True)

    counts = Counter(record.events[0].event_id for record in in_log(log))
    assert kills == 9
    assert "30,000 events" in finished.stdout
    assert "RECSITE_ARCHIVE_RETENTION_DAYS=400" in finished.stdout, "events of 2015 would be gone within the hour"
    assert len(counts) == 30_000
    assert set(counts.values()) == {1}


def _progress(folder: Path) -> int:
    for path in (folder / "data" / "imports").glob("*.json"):
        return int(json.loads(path.read_bytes())["units"])
    return 0
