"""Quarantine a source and forget it, with the stores of this installation; noted on its row."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from django.conf import settings
from django.utils import timezone

from features import keys
from features.archive.writer import ArchiveFolder
from features.catalogue.known import loaded_keys_of_site
from features.exchange.site import loaded_money_of
from features.store import connections
from features.stream.sources.source import Source
from features.stream.sources.take_back import TakeBack, TakenBack
from tracking.access.voices import voice_of
from tracking.models import QuarantinedSource, Site

SETTLES_S: Final = 20
"""Events that came before the quarantine are in Redis and in the archive by then, unless something is behind."""


def quarantine(site: Site, *, network: int | None = None, user_key: str = "") -> QuarantinedSource:
    """Let collect drop what a source sends from now on: within five seconds everywhere; safe to repeat.

    Raises
    ------
    ValueError
        Neither a network nor a user key is named, or both.
    """
    if (network is None) == (not user_key):
        raise ValueError("name either a network's tag or a user key")
    named, _ = QuarantinedSource.objects.update_or_create(
        site=site, network=network, user_key=user_key, defaults={"forgotten_at": None}
    )
    return named


def forget(row: QuarantinedSource) -> TakenBack:
    """Take back what a source counted, as far as it is settled, and note it; safe to repeat.

    Raises
    ------
    StoreUnavailable, LogUnavailable, OSError
        Redis, the log or the archive is unavailable.
    """
    done = TakeBack(
        row.site.slug,
        Source.of(row),
        folder=ArchiveFolder(settings.ARCHIVE_URL),
        store=connections.store(),
        partitions=connections.partitions(),
        lateness_ms=settings.LATENESS_MS,
        keys_of_site=loaded_keys_of_site,
        money_of=loaded_money_of,
        voices=voice_of,
        is_behind=_is_behind,
    ).run()
    now = timezone.now()
    before = row.receipt
    row.receipt = {
        name: amount if name == "unsettled" else before.get(name, 0) + amount for name, amount in asdict(done).items()
    }
    row.tried_at = now
    row.forgotten_at = None if done.unsettled else now
    row.save(update_fields=["receipt", "tried_at", "forgotten_at"])
    return done


def _is_behind(partition: int) -> bool:
    store, events = connections.store(), connections.event_log()
    applied, archived = (
        events.behind({partition: store.stored_position(name, partition)})[partition]
        for name in (keys.position, keys.archive_position)
    )
    return applied > archived
