"""Where a site's own models are: one folder each, written whole beside the one before, named by its contents."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from django.conf import settings

OWN_MODELS_TOPIC: Final = "own-models"
"""Announced with a site when a model of its own was installed or removed."""

FOLDER: Final = "own"
OPTIONS: Final = "own.json"
_WRITTEN: Final = re.compile(r"[0-9a-f]{16}")  # others are being written


class OwnModelOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a model is used.

    Attributes
    ----------
    budget_ms : float
        How long a list waits for it at most.
    weight : float
        What it weighs beside the sources of a strategy.
    """

    label: str = ""
    budget_ms: float = 5.0
    weight: float = 1.0


def models_folder(site: str) -> Path:
    """Return where the models of a site are."""
    return Path(settings.MODEL_DIR) / site / FOLDER


def installed_models(site: str) -> Mapping[str, Path]:
    """Return the folder of each model of a site, by name."""
    folder = models_folder(site)
    found: dict[str, Path] = {}
    for each in sorted(folder.glob("*/*"), key=lambda path: path.stat().st_mtime) if folder.is_dir() else ():
        if _WRITTEN.fullmatch(each.name) and (each / OPTIONS).is_file():
            found[each.parent.name] = each  # the newest of a name
    return found


def options_of(folder: Path) -> OwnModelOptions:
    """Return how a model is used; raises ``msgspec.DecodeError`` or ``OSError`` where that cannot be read."""
    return msgspec.json.decode((folder / OPTIONS).read_bytes(), type=OwnModelOptions)


def put_model(site: str, name: str, files: Mapping[str, Path], options: OwnModelOptions) -> Path:
    """Copy the files of a checked model to where processes read them, in one step, and return the folder.

    The one before stays until the next: a process that is about to open it must find it.
    """
    parent = models_folder(site) / name
    parent.mkdir(parents=True, exist_ok=True)
    before = installed_models(site).get(name)
    made = Path(tempfile.mkdtemp(dir=parent))
    digest = hashlib.sha256(msgspec.json.encode(options))
    for as_named, path in sorted(files.items()):
        shutil.copyfile(path, made / as_named)
        with (made / as_named).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    (made / OPTIONS).write_bytes(msgspec.json.encode(options))
    made.chmod(0o755)
    target = parent / digest.hexdigest()[:16]
    if target.exists():
        shutil.rmtree(made)
        os.utime(target)
    else:
        made.rename(target)
    for old in parent.iterdir():
        if old not in (target, before):
            shutil.rmtree(old, ignore_errors=True)
    return target


def remove_model(site: str, name: str) -> bool:
    """Delete a model; returns whether there was one."""
    parent = models_folder(site) / name
    if name not in installed_models(site):
        return False
    shutil.rmtree(parent)
    return True
