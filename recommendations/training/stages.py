"""Stages of a training run whose results are kept until it has ended, so that a run that was killed can go on."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Final, TypeVar

from recommendations.training.settings import TrainingSettings
from recommendations.training.stored import Unreadable, load, store

logger = logging.getLogger(__name__)

MAX_AGE_S: Final = 12 * 3600.0
"""A run that began longer ago is started again: its data are of yesterday."""

BEGUN_NAME: Final = "begun"
LIBRARIES: Final = ("implicit", "lightgbm", "numpy", "polars", "scipy")
_CODE: Final = Path(__file__).resolve().parents[1]
Value = TypeVar("Value")


class Stages:
    """Runs stages one by one and keeps nothing; see ``WorkFolder``."""

    def run(self, name: str, make: Callable[[], Value], classes: tuple[type, ...]) -> Value:
        """Return the result of a stage; ``classes`` are the dataclasses that it is made of."""
        return make()

    def drop(self, name: str) -> None:
        """Forget the result of a stage that no later one needs."""


class WorkFolder(Stages):
    """Keeps results in ``root/<key>/<stage>``; a stage appears whole or not at all.

    Used under the training lock: two runs never share a folder.

    Attributes
    ----------
    ready : tuple of str
        Stages that an earlier run had finished, in no order.
    begun_at_s : float
        When the run began, in Unix seconds.
    """

    def __init__(self, root: Path, key: str, *, now_s: float | None = None) -> None:
        now_s = time.time() if now_s is None else now_s
        self._folder = root / key
        for folder in root.glob("*"):
            if now_s - _begun_at_s(folder) > MAX_AGE_S:
                shutil.rmtree(folder, ignore_errors=True)
        self._folder.mkdir(parents=True, exist_ok=True)
        begun = self._folder / BEGUN_NAME
        if not begun.exists():
            begun.touch()
        self.begun_at_s = _begun_at_s(self._folder)
        self.ready = tuple(
            sorted(stage.name for stage in self._folder.iterdir() if stage.is_dir() and not stage.name.startswith("."))
        )

    def run(self, name: str, make: Callable[[], Value], classes: tuple[type, ...]) -> Value:
        """Return what an earlier run made of this stage, or make it and keep it."""
        folder = self._folder / name
        if folder.is_dir():
            try:
                found: Value = load(folder, classes)
            except Unreadable as error:
                logger.warning("training.stage_unreadable stage=%s error=%s", name, error)
                shutil.rmtree(folder, ignore_errors=True)
            else:
                logger.info("training.stage_taken_over stage=%s", name)
                return found
        made = make()
        partial = self._folder / f".{name}.{os.getpid()}"
        for left in self._folder.glob(f".{name}.*"):
            shutil.rmtree(left, ignore_errors=True)
        try:
            partial.mkdir()
            store(made, partial)
            partial.rename(folder)
        except OSError as error:  # a full disk: the run goes on, and could only not be resumed
            logger.warning("training.stage_not_kept stage=%s error=%s", name, error)
            shutil.rmtree(partial, ignore_errors=True)
        return made

    def drop(self, name: str) -> None:
        """Delete the result of a stage that no later one needs."""
        shutil.rmtree(self._folder / name, ignore_errors=True)

    def close(self) -> None:
        """Delete everything: the run has ended well."""
        shutil.rmtree(self._folder, ignore_errors=True)


def run_key(*parts: object, settings: TrainingSettings) -> str:
    """Return a name of everything that results depend on: data, settings, our code, libraries."""
    digest = hashlib.sha256(repr((parts, asdict(settings))).encode())
    for path in sorted(_CODE.rglob("*.py")):
        digest.update(path.relative_to(_CODE).as_posix().encode() + path.read_bytes())
    digest.update(repr([(name, metadata.version(name)) for name in LIBRARIES]).encode())
    return digest.hexdigest()[:24]


def _begun_at_s(folder: Path) -> float:
    try:
        return (folder / BEGUN_NAME).stat().st_mtime
    except OSError:
        return 0.0
