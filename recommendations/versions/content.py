"""The folder of a site's content table: written whole beside the one before, read as memory maps, old ones dropped."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from recommendations.core.content_table import ContentTable

logger = logging.getLogger(__name__)

CONTENT_TOPIC: Final = "content"
"""Announced with a site when its table was made."""

FOLDER: Final = "content"
MANIFEST: Final = "content.json"
IDS: Final = "ids.msgpack"
SCHEMA: Final = 1
ARRAYS: Final = ("unit_of_item", "vectors", "neighbours", "similarity")
KEPT: Final = 2
"""Newest tables that are not deleted: a process that is about to open the older of them must find it."""


class ContentManifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a table is, readable without it.

    Attributes
    ----------
    seen : str
        How the catalogue stood when the table was made; a table of the same is not made again.
    fitted_on : int
        Products that the words were counted on; 0 where a model made the vectors.
    """

    schema: int = SCHEMA
    encoder: str
    n_items: int
    n_units: int
    seen: str
    fitted_on: int = 0


def content_folder(site: str) -> Path:
    """Return where the tables of a site are."""
    return Path(settings.MODEL_DIR) / site / FOLDER


def newest_folder(site: str) -> Path | None:
    """Return the folder of the newest table; None where there is none."""
    try:
        with os.scandir(content_folder(site)) as entries:
            names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
    except FileNotFoundError:
        return None
    return content_folder(site) / names[-1] if names else None


def write_table(
    site: str, table: ContentTable, manifest: ContentManifest, more: Mapping[str, NDArray[Any]] | None = None
) -> Path:
    """Write a table under its version, whole or not at all, and drop the oldest ones.

    Parameters
    ----------
    more : mapping of name to array
        What the next table is made from; serving does not read it.
    """
    folder = content_folder(site)
    folder.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".", dir=folder))
    try:
        for name in ARRAYS:
            np.save(made / f"{name}.npy", np.ascontiguousarray(getattr(table, name)))
        for name, values in (more or {}).items():
            np.save(made / f"{name}.npy", values)
        (made / IDS).write_bytes(msgspec.msgpack.encode(table.load_ids()))
        (made / MANIFEST).write_bytes(msgspec.json.encode(manifest))
        made.chmod(0o755)  # other users of the host serve from it
        target = folder / table.version
        made.rename(target)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    for old in sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def read_manifest(folder: Path) -> ContentManifest | None:
    """Return what a folder says of its table; None where it cannot be read, or another release wrote it."""
    try:
        found = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=ContentManifest)
    except (OSError, msgspec.MsgspecError) as error:
        logger.warning("content.unreadable folder=%s error=%s", folder, error)
        return None
    return found if found.schema == SCHEMA else None


def read_table(folder: Path) -> ContentTable | None:
    """Open a table as memory maps; None where it cannot be read, which costs similar items and nothing else."""
    manifest = read_manifest(folder)
    if manifest is None:
        return None
    try:
        arrays = {name: read_array(folder, name) for name in ARRAYS}
    except (OSError, ValueError) as error:
        logger.warning("content.unreadable folder=%s error=%s", folder, error)
        return None
    fits = len(arrays["unit_of_item"]) == manifest.n_items and all(
        len(arrays[name]) == manifest.n_units for name in ARRAYS[1:]
    )
    if not fits:
        logger.warning("content.unreadable folder=%s: arrays of another length", folder)
        return None
    return ContentTable(version=folder.name, encoder=manifest.encoder, load_ids=partial(_ids, folder), **arrays)


def read_array(folder: Path, name: str) -> NDArray[Any]:
    """Return one array of a folder as a memory map.

    Raises
    ------
    OSError, ValueError
        It is not there, or cut short.
    """
    try:
        found: NDArray[Any] = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
    except EOFError as error:
        raise ValueError(f"{folder / name}.npy is empty") from error
    return found


def _ids(folder: Path) -> tuple[str, ...]:
    return msgspec.msgpack.decode((folder / IDS).read_bytes(), type=tuple[str, ...])
