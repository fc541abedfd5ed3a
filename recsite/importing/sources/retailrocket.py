"""RetailRocket's log: ``timestamp,visitorid,event,itemid[,transactionid]``; events view, addtocart, transaction.

Where ``item_properties_part*.csv`` and ``category_tree.csv`` lie beside it, items get the path of their category, by
its numbers: the data set has no names.

References
----------
"Retailrocket recommender system dataset", Kaggle 2016.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from recsite.importing.base import ImportOptions, InvalidSource, SourceFormat
from recsite.importing.preset import Preset, PresetSource
from tracking.deferred import deferred

if TYPE_CHECKING:
    import polars as pl
else:
    pl = deferred("polars")

_TREE: Final = "category_tree.csv"
_PROPERTIES: Final = "item_properties_part*.csv*"
_DEEPEST: Final = 10

PRESET: Final = Preset(
    name="retailrocket",
    summary="events.csv as on Kaggle; categories from item_properties_part*.csv and category_tree.csv beside it",
    tells=("timestamp visitorid event itemid",),
    columns={
        "user": "visitorid", "item": "itemid", "time": "timestamp", "event": "event", "order": "transactionid",
    },
)  # fmt: skip


class RetailRocketSource(PresetSource):
    """One ``events.csv``, and the properties of items beside it."""

    def __init__(self, path: Path, options: ImportOptions) -> None:
        super().__init__(PRESET, path, options)

    def items(self) -> Iterator[dict[str, Any]]:
        """Yield an item for each id, with the path of its category where the folder tells it."""
        paths = _category_paths(self.shards[0].path.parent)
        for item in super().items():
            path = paths.get(item["item_id"])
            yield {**item, "category": path} if path else item


def _category_paths(folder: Path) -> dict[str, list[str]]:
    """Return the path of each item's latest category, the root first."""
    files = sorted(folder.glob(_PROPERTIES))
    if not files:
        return {}
    try:
        latest = (
            pl.scan_csv(files, schema_overrides={"itemid": pl.String, "value": pl.String})
            .filter(pl.col("property") == "categoryid")
            .sort("timestamp")
            .group_by("itemid")
            .agg(pl.col("value").last())
            .collect()
        )
        tree = pl.read_csv(folder / _TREE, infer_schema=False) if (folder / _TREE).exists() else None
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InvalidSource(
            f"{files[0].name} or {_TREE} cannot be read: {error}; --no-items leaves them out"
        ) from error
    parents = {} if tree is None else dict(tree.select("categoryid", "parentid").iter_rows())
    return {item_id: _path(category, parents) for item_id, category in latest.iter_rows() if category}


def _path(category: str, parents: dict[str, str | None]) -> list[str]:
    path = [category]
    while (parent := parents.get(path[0])) and parent not in path and len(path) < _DEEPEST:
        path.insert(0, parent)
    return path


FORMAT: Final = SourceFormat(
    name=PRESET.name,
    summary=PRESET.summary,
    open=RetailRocketSource,
    recognises=PRESET.recognises,
)
