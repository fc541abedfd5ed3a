"""Dataclasses of arrays as a folder and back: one ``.npy`` a distinct array, the rest as JSON; nothing is pickled."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

TREE_NAME = "value.json"


class Unreadable(Exception):
    """A folder does not hold a value that was stored whole; make it again."""


def store(value: object, folder: Path) -> None:
    """Write a value into an empty folder."""
    arrays: dict[int, str] = {}

    def tree_of(part: Any) -> Any:
        if part is None or isinstance(part, str | int | float):
            return part
        if isinstance(part, np.generic):
            return part.item()
        if isinstance(part, np.ndarray):
            if id(part) not in arrays:  # tables of the ranker are those of a source: they are stored once
                arrays[id(part)] = f"{len(arrays)}.npy"
                np.save(folder / arrays[id(part)], part, allow_pickle=False)
            return {"array": arrays[id(part)]}
        if is_dataclass(part):
            values = {field.name: tree_of(getattr(part, field.name)) for field in fields(part)}
            return {"class": type(part).__name__, "fields": values}
        if isinstance(part, tuple | list):
            return {"tuple": [tree_of(each) for each in part]}
        if isinstance(part, dict):
            return {"dict": {name: tree_of(each) for name, each in part.items()}}
        raise TypeError(f"{type(part).__name__} cannot be stored")

    (folder / TREE_NAME).write_text(json.dumps(tree_of(value)))


def load(folder: Path, classes: tuple[type, ...]) -> Any:
    """Return what ``store`` wrote, made of these dataclasses.

    Raises
    ------
    Unreadable
        A file is missing or broken, or a class is none of these or has other fields now.
    """
    arrays: dict[str, Any] = {}
    class_of = {each.__name__: each for each in classes}

    def value_of(tree: Any) -> Any:
        if not isinstance(tree, dict):
            return tree
        [(kind, content)] = list(tree.items())[:1]
        if kind == "array":
            if content not in arrays:
                arrays[content] = np.load(folder / content, allow_pickle=False)
            return arrays[content]
        if kind == "class":
            return class_of[content](**{name: value_of(each) for name, each in tree["fields"].items()})
        if kind == "tuple":
            return tuple(value_of(each) for each in content)
        return {name: value_of(each) for name, each in content.items()}

    try:
        return value_of(json.loads((folder / TREE_NAME).read_text()))
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise Unreadable(f"{folder}: {error!r}") from error
