"""The user's own copy of a data set as a ``SessionLog``; the product's importers read it."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from tempfile import gettempdir
from typing import Final
from zlib import crc32

import numpy as np
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from benchmarks.quality.windows import PROTOCOLS, Protocol, SessionsBy
from benchmarks.report import NotHere
from recommendations.training.data.building import log_from_columns
from recommendations.training.data.dataset import InvalidDataset, Kind, SessionLog
from recommendations.training.data.readers import read_sessions_jsonl
from recsite.importing.base import ImportOptions, InvalidSource, Shard, Source
from recsite.importing.formats import choose, open_chosen
from tracking.contract.events import AddToCart, EventRecord, Purchase, SelectItem, ViewItem

KIND_OF: Final[Mapping[type, Kind]] = {
    ViewItem: Kind.VIEW,
    SelectItem: Kind.VIEW,
    AddToCart: Kind.CART,
    Purchase: Kind.PURCHASE,
}
SHOW_EVERY: Final = 10_000
COLUMNS: Final[Mapping[str, str]] = {"items": "i", "kinds": "B", "occurred_at_ms": "q", "users": "i", "sessions": "i"}
KEPT: Final = ("items", "kinds", "occurred_at_ms", "offsets", "users")


def data_sets(named: Sequence[str]) -> dict[str, Path]:
    """Return path by name from ``NAME=PATH`` of the command line.

    Raises
    ------
    NotHere
        A name is none of ours, or there is nothing at its path; the message says what there is.
    """
    found = {}
    for each in named:
        name, is_named, path = each.partition("=")
        if not is_named or name not in PROTOCOLS:
            raise NotHere(f"--data {each}: give NAME=PATH with a name of {', '.join(PROTOCOLS)}")
        if not Path(path).exists():
            raise NotHere(f"--data {each}: there is no {path}; give the file or folder of your copy")
        found[name] = Path(path)
    return found


def read_data_set(path: Path, protocol: Protocol) -> SessionLog:
    """Return all interactions of the protocol's kind; what was read is kept, since importers need hours for some.

    Raises
    ------
    NotHere
        The files cannot be read as this data set, or hold no such interaction; the message says why.
    """
    try:
        if not protocol.file_format:
            return read_sessions_jsonl(path)
        choice = choose([path], file_format=protocol.file_format)
        kept = _kept_at(choice.shards, protocol)
        if kept.is_file():
            return _kept(kept)
        source = open_chosen(choice, ImportOptions(site="benchmark"))
        log = read_source(source, kind=protocol.kind, sessions_by=protocol.sessions_by)
        _keep(log, kept)
        return log
    except (InvalidSource, InvalidDataset) as error:
        raise NotHere(f"{path}: {error}") from error


def read_source(source: Source, *, kind: Kind, sessions_by: SessionsBy) -> SessionLog:
    """Return the interactions of one kind that an importer reads; 21 bytes an interaction, and each id once.

    Sessions are told apart by interactions of every kind: who puts into the cart has not been quiet.
    """
    items, users, sessions = _Numbers(), _Numbers(), _Numbers()
    columns = {name: array(code) for name, code in COLUMNS.items()}
    for record in _told(source):
        for event in record.events:
            told = KIND_OF.get(type(event))
            if told is None:
                continue
            whose = _session_of(record, event, sessions_by)
            ids = [item.item_id for item in event.params.items]  # type: ignore[union-attr]  # kinds with items alone
            if sessions_by == "order":  # the importer sorts lines of one moment by their ids, which would tell the next
                ids.sort(key=lambda item_id: crc32(f"{item_id} {whose}".encode()))
            for item_id in ids:
                columns["items"].append(items.number(item_id))
                columns["kinds"].append(told)
                columns["occurred_at_ms"].append(event.occurred_at_ms)
                columns["users"].append(users.number(record.user_key) if record.user_id else 0)
                columns["sessions"].append(sessions.number(whose))
    arrays = {name: np.frombuffer(column, column.typecode) for name, column in columns.items()}
    if not (arrays["kinds"] == kind).any():
        raise InvalidDataset(f"no {kind.name.lower()} of an item is in there")
    arrays["users"] = arrays["users"] - 1
    if sessions_by == "gap":
        arrays["users"] = arrays.pop("sessions")  # whoever it is: a session is a stretch of theirs
    return _of_kind(log_from_columns(("", *items.ids), arrays), kind)


def _of_kind(log: SessionLog, kind: Kind) -> SessionLog:
    """Return the interactions of one kind, in the same sessions; they are in the order in which these end now."""
    rows, sessions = log.kinds == kind, log.session_of
    names = ("items", "kinds", "occurred_at_ms")
    columns = {name: getattr(log, name)[rows] for name in names}
    return log_from_columns(log.item_ids, {**columns, "users": log.users[sessions[rows]], "sessions": sessions[rows]})


def _kept_at(shards: Sequence[Shard], protocol: Protocol) -> Path:
    """Return where these files are kept once this module has read them: named by their paths, sizes and times."""
    seen = [(str(shard.path.resolve()), shard.member, shard.path.stat()) for shard in shards]
    what = repr((protocol, [(path, member, found.st_size, found.st_mtime_ns) for path, member, found in seen]))
    return (
        Path(gettempdir())
        / "recsite-bench-quality"
        / f"{sha256(what.encode() + Path(__file__).read_bytes()).hexdigest()[:24]}.npz"
    )


def _keep(log: SessionLog, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}.npz")  # whole or not at all, also where two runs read at once
    arrays = {name: getattr(log, name) for name in KEPT}
    np.savez(unfinished, item_ids=np.array(log.item_ids, np.str_), **arrays)
    unfinished.replace(path)


def _kept(path: Path) -> SessionLog:
    with np.load(path) as found:
        return SessionLog(item_ids=tuple(found["item_ids"].tolist()), **{name: found[name] for name in KEPT})


def _session_of(record: EventRecord, event: object, sessions_by: SessionsBy) -> str:
    """Return what tells sessions apart; of ``gap`` the user, whom quiet time parts."""
    if sessions_by == "order" and isinstance(event, Purchase):
        return f"{record.user_key} {event.params.transaction_id}"
    if sessions_by == "session":
        return str(getattr(event, "session_id", None) or record.user_key)
    return record.user_key


def _told(source: Source) -> Iterator[EventRecord]:
    shown = TextColumn("{task.description} {task.completed:,} entries")
    with Progress(shown, TimeElapsedColumn(), transient=True) as bar:
        task = bar.add_task(f"read {source.path.name}", total=None)
        for number, unit in enumerate(source.units()):
            if number % SHOW_EVERY == 0:
                bar.update(task, completed=number)
            yield from unit.records


class _Numbers:
    """Numbers from 1 for ids, in the order in which they come."""

    def __init__(self) -> None:
        self._number_of: dict[str, int] = {}

    def number(self, each: str) -> int:
        return self._number_of.setdefault(each, len(self._number_of) + 1)

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(self._number_of)
