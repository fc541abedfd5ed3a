"""Import a large library when something of it is first used: most processes of an installation never do.

polars, pyarrow, scipy and onnx took half of the memory and of the start of each web process, though training, reports
and the archive alone compute with them. ``importlib.util.LazyLoader`` does the same, but puts a half-loaded module into
``sys.modules`` for everybody, and in Python 3.11 two threads that meet in it may see it empty (CPython issue 114763).
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any


class _Deferred(ModuleType):
    """Stands for a module; the first attribute that is asked for imports it."""

    def __getattr__(self, name: str) -> Any:
        """Return what the module itself has under this name now."""
        return getattr(importlib.import_module(self.__name__), name)


def deferred(name: str) -> ModuleType:
    """Return a stand-in for the module of this name, to be used as the module is.

    Threads may use it: they meet in the lock of the import system. A name that cannot be imported is told where
    something of it is first used, by ``ImportError``. For type checkers, import the module itself under
    ``TYPE_CHECKING``.
    """
    return _Deferred(name)
