"""Who was erased, told to a Redis that was emptied: workers that read the log again must leave them out."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import msgspec

from features import keys
from features.privacy import tombstones
from features.privacy.erasure import ERASED_TTL_S, erased_spans
from features.state.purchases import hash64
from features.store.online import OnlineStore
from tracking.log import EventLog

Span = tuple[int, int]
_ENCODE = msgspec.msgpack.Encoder().encode


def restore_erased(events: EventLog, store: OnlineStore, *, partitions: int) -> int:
    """Note in Redis which users of the log are erased, and until when; return how many.

    The database keeps keyed hashes alone, so that users are met in the log itself. Memory: the users of a partition.

    Raises
    ------
    LogUnavailable, StoreUnavailable
        Something is unavailable; call it again.
    """
    from features.models import Erasure

    spans_of = erased_spans(Erasure.objects.all())
    if not spans_of:
        return 0
    restored = 0
    now_ms = time.time_ns() // 1_000_000
    for partition in range(partitions):
        users = {record.key for record in events.read_all(partition)}
        found: dict[str, dict[int, int]] = {}
        for key in users:
            site, _, user_key = key.decode(errors="replace").partition("/")
            until_ms = _erased_until(spans_of, site, user_key)
            if until_ms > now_ms - ERASED_TTL_S * 1_000:
                found.setdefault(site, {})[hash64(user_key)] = until_ms
        for site, erased in found.items():
            known = store.erased_users(partition, site)
            merged = {**known, **{one: max(at_ms, known.get(one, -1)) for one, at_ms in erased.items()}}
            store.client.set(keys.erased(partition, site), _ENCODE(merged), ex=ERASED_TTL_S)
            restored += len(erased)
    return restored


def _erased_until(spans_of: Mapping[str, Sequence[Span]], site: str, user_key: str) -> int:
    spans = [span for one in tombstones.hashes(site, user_key) for span in spans_of.get(one, ())]
    return max((last for _, last in spans), default=-1)
