"""A site's content table, kept up with its catalogue: new items get vectors within minutes, without a training."""

from __future__ import annotations

import fcntl
import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from django.conf import settings
from django.db.models import Count, Max
from numpy.typing import NDArray

from features.models import Item
from recommendations.inference.encoders import SentenceEncoder
from recommendations.metrics import CONTENT_ENCODED, CONTENT_SECONDS
from recommendations.training.content.lexical import LexicalEncoder
from recommendations.training.content.table import Encoder, MadeTable, make_table
from recommendations.training.content.text import ItemText
from recommendations.training.settings import Progress, no_progress
from recommendations.versions.content import (
    CONTENT_TOPIC,
    ContentManifest,
    content_folder,
    newest_folder,
    read_array,
    read_manifest,
    read_table,
    write_table,
)
from tracking.models import Site
from tracking.snapshots.by_site import site_topic
from tracking.snapshots.snapshot import announce

logger = logging.getLogger(__name__)

_COLUMNS: Final = (
    "item_id", "group_id", "title", "category", "brand", "description", "attributes", "tags", "image_url",
)  # fmt: skip
_CHUNK: Final = 2_000


def refresh_content(site: Site, *, progress: Progress = no_progress) -> MadeTable | None:
    """Make the site's table if its catalogue, or what makes vectors, has changed since; tell every web process.

    Returns
    -------
    MadeTable or None
        None where nothing changed, or another process is at it.

    Raises
    ------
    EncoderRefused
        The configured encoder cannot be used; the message names file, cause and remedy.
    """
    with _alone(site) as is_alone:
        if not is_alone:
            return None
        encoder = configured_encoder()
        seen = f"{_state_of(site)} {encoder.name if encoder else ''}".strip()
        folder = newest_folder(site.slug)
        manifest = read_manifest(folder) if folder is not None else None
        if manifest is not None and manifest.seen == seen:
            return None
        started = time.perf_counter()
        made = make_table(
            lambda: items_of(site),
            version=f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}",
            previous=_previous(folder, manifest),
            encoder=encoder,
            progress=progress,
        )
        more: dict[str, NDArray[Any]] = {"digests": made.digests}
        if made.lexical is not None:
            more |= {"idf": made.lexical.idf, "directions": made.lexical.directions}
        table = made.table
        write_table(
            site.slug,
            table,
            ContentManifest(
                encoder=table.encoder,
                n_items=len(table.unit_of_item),
                n_units=len(table.vectors),
                seen=seen,
                fitted_on=made.fitted_on,
            ),
            more,
        )
        took_s = time.perf_counter() - started
    CONTENT_SECONDS.labels(site.slug).set(took_s)
    CONTENT_ENCODED.labels(site.slug).inc(made.encoded)
    announce(site_topic(CONTENT_TOPIC, site.slug))
    logger.info(
        "content.made site=%s items=%s encoded=%s encoder=%s seconds=%.1f",
        site.slug, len(table.unit_of_item), made.encoded, table.encoder, took_s,
    )  # fmt: skip
    return made


def configured_encoder() -> Encoder | None:
    """Return the encoder of ``RECSITE_TEXT_ENCODER``; None where it is empty, and words are counted.

    Raises
    ------
    EncoderRefused
        Its folder does not hold one that we can run.
    """
    return SentenceTexts(Path(settings.TEXT_ENCODER)) if settings.TEXT_ENCODER else None


class SentenceTexts:
    """A sentence encoder of a folder, given items."""

    def __init__(self, folder: Path) -> None:
        self._encoder = SentenceEncoder(folder)
        self.name = self._encoder.name
        self.n_dimensions = self._encoder.n_dimensions

    def encode(self, items: list[ItemText]) -> NDArray[np.float32]:
        """Return the vector of each item's sentence."""
        return self._encoder.vectors([item.sentence() for item in items])


def items_of(site: Site) -> Iterator[ItemText]:
    """Yield the active items of a site as encoders read them, by id; of a product the first one speaks for it."""
    rows: Iterable[tuple[object, ...]] = (
        Item.objects.filter(site=site, is_active=True)
        .order_by("item_id")
        .values_list(*_COLUMNS)
        .iterator(chunk_size=_CHUNK)
    )
    for row in rows:
        yield item_text(dict(zip(_COLUMNS, row, strict=True)))


def item_text(values: dict[str, object]) -> ItemText:
    """Return an item as encoders read it, from its columns."""
    attributes, tags = values["attributes"], values["tags"]
    return ItemText(
        item_id=str(values["item_id"]),
        unit=str(values["group_id"] or values["item_id"]),
        title=str(values["title"]),
        category=str(values["category"]),
        brand=str(values["brand"]),
        description=str(values["description"]),
        attributes=attributes if isinstance(attributes, dict) else {},
        tags=tuple(map(str, tags)) if isinstance(tags, list) else (),
        image_url=str(values["image_url"]),
    )


def _state_of(site: Site) -> str:
    found = Item.objects.filter(site=site, is_active=True).aggregate(newest=Max("updated_at"), n=Count("pk"))
    return f"{found['n']} {found['newest'].isoformat() if found['newest'] else ''}".strip()


def _previous(folder: Path | None, manifest: ContentManifest | None) -> MadeTable | None:
    """Return the newest table with what the next one is made from; None where it has to be made from nothing."""
    if folder is None or manifest is None:
        return None
    table = read_table(folder)
    if table is None:
        return None
    try:
        digests = np.asarray(read_array(folder, "digests"))
        lexical = None
        if manifest.fitted_on:
            lexical = LexicalEncoder(
                idf=np.asarray(read_array(folder, "idf")), directions=np.asarray(read_array(folder, "directions"))
            )
    except (OSError, ValueError) as error:
        logger.warning("content.unreadable folder=%s error=%s", folder, error)
        return None
    return MadeTable(table=table, digests=digests, lexical=lexical, fitted_on=manifest.fitted_on)


@contextmanager
def _alone(site: Site) -> Iterator[bool]:
    """Say whether nobody else on this host makes the site's table just now."""
    folder = content_folder(site.slug)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
