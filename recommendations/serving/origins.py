"""What a ``rec_id`` in an event says of its list, for the stream workers that attribute events to placements."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from django.conf import settings

from features.state.attribution import ReplyOrigin
from recommendations.serving.rec_ids import InvalidRecId, signer

MAX_REMEMBERED: Final = 20_000
"""An id comes back with each impression, click and purchase of its list; checking a signature takes 10 µs."""


def read_origin(site: str, rec_id: str) -> ReplyOrigin | None:
    """Return which list the id was made for; ``None`` when it was not made here or not for this site."""
    return _read(settings.SECRET_KEY, site, rec_id)


@lru_cache(maxsize=MAX_REMEMBERED)
def _read(secret: str, site: str, rec_id: str) -> ReplyOrigin | None:
    try:
        said = signer().read(rec_id, site=site)
    except InvalidRecId:
        return None
    rules = ",".join(map(str, said.rule_ids))
    return ReplyOrigin(said.placement, said.variant, said.model_version, rules, said.arms)
