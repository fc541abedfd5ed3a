"""Seen slots of lists in which chance had a part, and what another share for new items would bring."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import numpy as np
from numpy.typing import NDArray

from features.archive.maintenance import read_table
from features.archive.rows import ONCE
from features.archive.writer import ArchiveFolder
from recommendations.core.chance import MAX_SLOTS, Chance
from recommendations.what_if.off_policy import Estimate, Shown, doubly_robust, ips, snips
from tracking.deferred import deferred

if TYPE_CHECKING:
    import polars as pl
else:
    pl = deferred("polars")

Floats = NDArray[np.float64]
Said = Callable[[str], tuple[str, Chance] | None]
"""From the id of a reply to its placement and what chance had to do with it; None where it had nothing."""

_COLUMNS: Final = ("user_key", "event_id", "event", "row", "item_id", "position", "received_at_ms", "rec_id", "bot")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """Slots that were seen, of one placement; all of shape (n,).

    Attributes
    ----------
    lists : int64
        Numbers of the lists that they are of, into ``chances``.
    slots : int64
        From 0.
    clicked : float64
        1 where its item was clicked in the list, else 0.
    """

    chances: tuple[Chance, ...]
    lists: NDArray[np.int64]
    slots: NDArray[np.int64]
    clicked: Floats

    def __len__(self) -> int:
        return len(self.slots)

    def propensities(self, *, permille: int | None = None) -> Floats:
        """Return how likely each slot was to hold what it held, or would have been with another share."""
        found = np.zeros(len(self))
        bounds = np.flatnonzero(np.diff(self.lists, prepend=-1))
        for start, end in zip(bounds, np.append(bounds[1:], len(self)), strict=True):
            chance = self.chances[self.lists[start]]
            found[start:end] = chance.propensities(self.slots[start:end], permille=permille)
        return found

    @property
    def drawn(self) -> NDArray[np.bool_]:
        """Which of them held an item that was drawn."""
        masks = [self.chances[number].drawn for number in self.lists]
        return np.array([mask >> int(slot) & 1 for mask, slot in zip(masks, self.slots, strict=True)], np.bool_)


@dataclass(frozen=True, slots=True, kw_only=True)
class ByShare:
    """Clicks a seen slot with a share for new items, by three estimators."""

    permille: int
    ips: Estimate
    snips: Estimate
    doubly_robust: Estimate


def read_slots(folder: ArchiveFolder, *, site: str, dates: Iterable[str], said: Said) -> dict[str, Slots]:
    """Return the seen slots by placement; robots and re-sends are left out. Memory: the list events of one day."""
    parts: dict[str, list[tuple[Chance, NDArray[np.int64], Floats]]] = {}
    for date in dates:
        frames = [_read(folder, path) for path in folder.files(site=site, date=date)]
        if not frames:
            continue
        rows = pl.concat(frames).sort("received_at_ms").unique(list(ONCE), keep="first", maintain_order=True)
        seen = pl.col("event") == "view_item_list"
        by_item = rows.group_by("rec_id", "item_id").agg(
            slot=pl.col("position").filter(seen).min(), clicked=(~seen).any()
        )
        by_item = by_item.filter(pl.col("slot").is_between(0, MAX_SLOTS - 1)).sort("rec_id", "slot")
        for (rec_id,), of_list in by_item.group_by("rec_id", maintain_order=True):
            found = said(str(rec_id))
            if found is not None:
                part = (found[1], of_list["slot"].to_numpy().astype(np.int64), of_list["clicked"].to_numpy() * 1.0)
                parts.setdefault(found[0], []).append(part)
    return {placement: _joined(lists) for placement, lists in parts.items()}


def at_share(slots: Slots, *, permille: int) -> ByShare:
    """Return what is estimated of a share, which has to be between none and all of the slots.

    The model of the doubly robust estimate is the mean by slot of what was drawn, and of what was not.
    """
    shown = Shown(
        reward=slots.clicked,
        propensity=slots.propensities(),
        other=slots.propensities(permille=permille),
        list_of=slots.lists,
    )
    drawn = slots.drawn
    of_drawn, of_others = (_means(slots, chosen) for chosen in (drawn, ~drawn))
    predicted = np.where(drawn, of_drawn, of_others)
    share = permille / 1000.0
    by_share = share * of_drawn + (1 - share) * of_others
    expected = np.where(shown.propensity == 1.0, predicted, by_share)
    return ByShare(
        permille=permille,
        ips=ips(shown),
        snips=snips(shown),
        doubly_robust=doubly_robust(shown, predicted=predicted, expected=expected),
    )


def _means(slots: Slots, chosen: NDArray[np.bool_]) -> Floats:
    """Return, for each slot, the mean of the chosen ones that stand at the same position; 0 where none does."""
    counts = np.bincount(slots.slots[chosen], minlength=MAX_SLOTS)
    clicks = np.bincount(slots.slots[chosen], weights=slots.clicked[chosen], minlength=MAX_SLOTS)
    means: Floats = (clicks / np.maximum(counts, 1))[slots.slots]
    return means


def _joined(lists: Sequence[tuple[Chance, NDArray[np.int64], Floats]]) -> Slots:
    lengths = [len(slots) for _, slots, _ in lists]
    return Slots(
        chances=tuple(chance for chance, _, _ in lists),
        lists=np.repeat(np.arange(len(lists)), lengths),
        slots=np.concatenate([slots for _, slots, _ in lists]),
        clicked=np.concatenate([clicked for _, _, clicked in lists]),
    )


def _read(folder: ArchiveFolder, path: str) -> pl.DataFrame:
    frame = cast("pl.DataFrame", pl.from_arrow(read_table(folder, path, columns=_COLUMNS)))
    events = pl.col("event").is_in(["view_item_list", "select_item"])
    return frame.filter(~pl.col("bot") & events & pl.col("rec_id").is_not_null() & pl.col("item_id").is_not_null())
