"""Runs the cases and says of each what was wrong; nothing is a case that came out right."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from benchmarks.untidy.catalogues import FIELDS, Catalogue, catalogues
from benchmarks.untidy.logs import Log, Seen, logs
from benchmarks.untidy.payloads import NOW_MS, Payload, payloads


def wrong_catalogues() -> Iterator[tuple[str, str]]:
    """Yield each catalogue's name and what came out wrong, empty when nothing did."""
    from tracking.models import Site

    for number, case in enumerate(catalogues()):
        site = Site.objects.create(slug=f"catalogue-{number}", name=case.name, currency="EUR")
        yield f"catalogue: {case.name}", _wrong_catalogue(site, case)


def _wrong_catalogue(site: Any, case: Catalogue) -> str:
    from features.feeds.runs import load_file, separator_of
    from features.feeds.writer import LoadOptions
    from features.models import Item

    options = LoadOptions(is_strict=False, decimal=separator_of(case.decimal))
    run, _ = load_file(site, io.BytesIO(case.content), source=case.name, options=options)
    found = {item.item_id: _fields(item) for item in Item.objects.filter(site=site)}
    if run.error and case.items:
        return run.error
    if found.keys() != case.items.keys():
        return f"items {sorted(found)} instead of {sorted(case.items)}"
    if run.rejected_rows != case.refused:
        return f"{run.rejected_rows} rows refused instead of {case.refused}"
    for item_id, expected in case.items.items():
        for field, value in expected.items():
            if found[item_id][field] != value:
                return f"{item_id}: {field} is {found[item_id][field]!r} instead of {value!r}"
    return ""


def _fields(item: Any) -> dict[str, Any]:
    from django.utils import timezone

    computed = {"paid_minor": item.paid_minor(at=timezone.now())}
    return {name: computed[name] if name in computed else getattr(item, name) for name in FIELDS}


def wrong_payloads() -> Iterator[tuple[str, str]]:
    """Yield each event's name and what came out wrong, empty when nothing did."""
    for case in payloads():
        yield f"event: {case.name}", _wrong_payload(case)


def _wrong_payload(case: Payload) -> str:
    import msgspec

    from tracking.contract.parsing import parse_envelope

    event = {"event_id": "event-0001", "ts": NOW_MS, **(case.head or {}), "event": case.event, "params": case.params}
    body = {"key": "pk_x", "v": "1.0", "sent_at": NOW_MS, "anonymous_id": "a" * 32, "events": [event]}
    parsed = parse_envelope(json.dumps(body).encode(), max_events=100, is_strict=False)
    found = [event for group in parsed.groups for _, event in group.good]
    if case.right is None or not found:
        return "" if (case.right is None) == (not found) else f"{found or parsed.rejected}"
    written = msgspec.json.decode(msgspec.json.encode(found[0]))
    if written["event"] != (case.becomes or case.event):
        return f"is {written['event']}"
    if written.get("ts", NOW_MS) // 1000 != NOW_MS // 1000:
        return f"at {written['ts']}"
    for name, value in case.right.items():
        if not _has(written["params"].get(name), value):
            return f"{name} is {written['params'].get(name)!r} instead of {value!r}"
    return ""


def _has(found: Any, expected: Any) -> bool:
    """Return whether ``found`` has at least the fields of ``expected``; lists are of one length."""
    if isinstance(expected, list):
        return isinstance(found, list) and len(found) == len(expected) and all(map(_has, found, expected))
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(_has(found.get(name), value) for name, value in expected.items())
    return bool(found == expected)


def wrong_logs(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield each log's name and what came out wrong, empty when nothing did; files go to ``folder``."""
    from tracking.models import Site

    for number, case in enumerate(logs()):
        site = Site.objects.create(slug=f"log-{number}", name=case.name, currency="EUR")
        own = folder / site.slug
        own.mkdir()
        for name, content in case.files.items():
            (own / name).write_bytes(content)
        yield f"log: {case.name}", _wrong_log(site.slug, own, case)


def _wrong_log(site: str, folder: Path, case: Log) -> str:
    from django.core.management import CommandError, call_command

    said = ""
    try:
        with redirect_stdout(io.StringIO()):
            call_command("import_events", folder, site=site, **case.options)
    except CommandError as error:
        said = str(error)
    if case.is_refused or said:
        return "" if case.is_refused and said else said or "was taken"
    found, people = _in_log(site)
    if found != Counter(case.right):
        return f"{sorted((found - Counter(case.right)).items())} for {sorted((Counter(case.right) - found).items())}"
    return "" if len(people) == case.people else f"{len(people)} people instead of {case.people}"


def _in_log(site: str) -> tuple[Counter[Seen], set[str]]:
    from django.conf import settings

    from tracking.contract.parsing import parse_record
    from tracking.log import open_log

    found: Counter[Seen] = Counter()
    people = set()
    log = open_log(settings.EVENT_LOG_URL)
    for partition in range(log.ensure_topic()):
        for each in log.read_all(partition):
            record = parse_record(each.value)
            if record.site != site:
                continue
            people.add(str(record.user_key))
            for event in record.events:
                name = str(type(event).__struct_config__.tag)
                found.update((name, item.item_id, event.occurred_at_ms) for item in getattr(event.params, "items", ()))
    return found, people
