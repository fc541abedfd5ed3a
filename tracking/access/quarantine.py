"""Whose events staff quarantined: a network on one day, by its tag, or one user key."""

from __future__ import annotations

from typing import TypeAlias

from tracking.contract.events import EventRecord

Names: TypeAlias = frozenset[int | str]
"""Tags of networks and user keys, of one site."""


def comes_from(record: EventRecord, names: Names) -> bool:
    """Return whether a record is one of a source that is named.

    Of a network, that is what pages sent of users for whom the shop's server does not vouch.
    """
    if record.user_key in names:
        return True
    return record.user_id is None and record.source == "browser" and record.network in names
