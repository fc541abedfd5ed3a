"""Which anonymous ids this process has known for a while: what a page makes up costs nothing, and time does."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

KNOWN_AFTER_S: Final = 600.0
"""An id that comes back after so long is known from then on."""

MAX_NEW: Final = 32_768
MAX_KNOWN: Final = 65_536


class KnownIds:
    """Remembers ids by when they first came. Thread-safe, bounded.

    New ids and known ones have a memory of their own, so that a flood of new ones makes no known one forgotten. What is
    remembered is the id's hash in this process, which means nothing elsewhere.
    """

    def __init__(self, *, max_new: int = MAX_NEW, max_known: int = MAX_KNOWN) -> None:
        self._max_new, self._max_known = max_new, max_known
        self._new: OrderedDict[int, float] = OrderedDict()
        self._known: OrderedDict[int, None] = OrderedDict()
        self._lock = threading.Lock()

    def is_known(self, anonymous_id: str | None, *, site: str, now_s: float) -> bool:
        """Return whether the site's visitor came ``KNOWN_AFTER_S`` ago or before, and remember that they came."""
        if not anonymous_id:
            return False
        name = hash((site, anonymous_id))
        with self._lock:
            if name in self._known:
                self._known.move_to_end(name)
                return True
            first_s = self._new.setdefault(name, now_s)
            if now_s - first_s < KNOWN_AFTER_S:
                while len(self._new) > self._max_new:
                    self._new.popitem(last=False)
                return False
            del self._new[name]
            self._known[name] = None
            while len(self._known) > self._max_known:
                self._known.popitem(last=False)
            return True


known_ids: Final = KnownIds()
"""The ids that this process met."""
