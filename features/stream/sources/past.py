"""What the users of a source did, from the archive: everybody who has a row of it, with all of their rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from features.archive.maintenance import read_table, without_resends
from features.archive.rows import record_of
from features.archive.writer import ArchiveFolder
from features.state import windows
from features.state.counting import networks
from features.state.counting.networks import Voices
from features.stream.sources.source import SOURCE_COLUMNS, Source
from tracking.contract.events import EventRecord
from tracking.deferred import deferred

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
else:
    pl = deferred("polars")
    pa = deferred("pyarrow")

_IN_ORDER: Final = ("received_at_ms", "event_id", "row")
_COUNTED: Final = ("view_item", "add_to_cart", "purchase")
_OF_LOOKS: Final = (*SOURCE_COLUMNS, "item_id", "event", "occurred_at_ms", "received_at_ms", "bot")


@dataclass(frozen=True, slots=True)
class UserPast:
    """One user's records in the order of reception: all of them, and those that are not the source's."""

    user_key: str
    everything: list[EventRecord]
    others: list[EventRecord]


def users_of(folder: ArchiveFolder, *, site: str, source: Source) -> set[str]:
    """Return the keys of the users who have a row of the source. Memory: those keys, and a column of one file.

    Raises
    ------
    OSError
        The archive cannot be read.
    """
    users: set[str] = set()
    for path in folder.files(site=site):
        table = read_table(folder, path, columns=SOURCE_COLUMNS)
        users |= set(_frame(table).filter(source.expression())["user_key"].to_list())
    return users


def pasts(folder: ArchiveFolder, *, site: str, source: Source, users: Collection[str]) -> list[UserPast]:
    """Return what each of these users did. Memory: their rows, and one file.

    Raises
    ------
    OSError
        The archive cannot be read.
    """
    names = list(users)
    tables = []
    for path in folder.files(site=site):
        if _frame(read_table(folder, path, columns=("user_key",)))["user_key"].is_in(names).any():
            table = read_table(folder, path)
            tables.append(table.filter(_frame(table)["user_key"].is_in(names).to_arrow()))
    if not tables:
        return []
    whole = without_resends(pa.concat_tables(tables))
    frame = _frame(whole).with_columns(source.expression().alias("is_theirs")).sort(*_IN_ORDER)
    found = []
    for (user_key,), own in frame.group_by("user_key", maintain_order=True):
        records = list(_records(own.to_dicts()))
        others = [record for record, is_theirs in records if not is_theirs]
        found.append(UserPast(str(user_key), [record for record, _ in records], others))
    return found


def _records(rows: list[dict[str, Any]]) -> Iterator[tuple[EventRecord, bool]]:
    event: list[dict[str, Any]] = []
    for row in rows:
        if event and row["event_id"] != event[0]["event_id"]:
            yield record_of(event), event[0]["is_theirs"]
            event = []
        event.append(row)
    if event:
        yield record_of(event), event[0]["is_theirs"]


class Lookers:
    """From which networks items were looked at by others than a source; read from the archive when first asked."""

    def __init__(self, folder: ArchiveFolder, *, site: str, source: Source, items: set[str], voices: Voices) -> None:
        self._folder = folder
        self._site = site
        self._source = source
        self._items = items
        self._voices = voices
        self._looks: dict[str, list[tuple[int, int, int]]] | None = None

    def tags(self, item_id: str, pane: windows.Pane) -> set[int]:
        """Return the tags of an item's visitors as they stand behind a pane.

        Raises
        ------
        OSError
            The archive cannot be read.
        """
        if self._looks is None:
            self._looks = self._read()
        from_ms, until_ms = (number * pane.width_s * 1_000 for number in (pane.number, pane.number + 1))
        is_of_voices = windows.is_of_voices(pane.width_s)
        return {
            networks.voice_at(item_id, voice) if is_of_voices else tag
            for at_ms, tag, voice in self._looks.get(item_id, ())
            if from_ms <= at_ms < until_ms
        }

    def _read(self) -> dict[str, list[tuple[int, int, int]]]:
        looks: dict[str, list[tuple[int, int, int]]] = {}
        for path in self._folder.files(site=self._site):
            frame = _frame(read_table(self._folder, path, columns=_OF_LOOKS))
            mine = frame.filter(
                pl.col("item_id").is_in(list(self._items))
                & pl.col("event").is_in(list(_COUNTED))
                & ~pl.col("bot").fill_null(value=False)
                & ~self._source.expression()
            )
            for row in mine.iter_rows(named=True):
                is_network = row["network"] is not None and row["user_id"] is None and row["source"] == "browser"
                tag = row["network"] if is_network else networks.own_tag(row["user_key"])
                voice = self._voices(self._site, tag, row["received_at_ms"]) if is_network else tag
                looks.setdefault(row["item_id"], []).append((row["occurred_at_ms"], tag, voice))
        return looks


def _frame(table: pa.Table) -> pl.DataFrame:
    return cast("pl.DataFrame", pl.from_arrow(table))
