"""The signed id of a reply: which list it was, verifiable without storage, so that events are attributed to it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import zlib
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import msgspec
from django.conf import settings

from recommendations.core.chance import Chance
from recommendations.exceptions import RecommendationError

MARK: Final = "r1."
MAX_ARMS: Final = 8
"""Experiments and hold-outs of one list that its id names: an id stays shorter than the contract allows."""
_MAC_BYTES: Final = 10
"""80 bits: forging one takes 2^79 tries against a server that answers each."""


class InvalidRecId(RecommendationError):
    """The id was not made by this installation, or not for this site; count nothing for it."""


class RecId(msgspec.Struct, frozen=True, array_like=True):
    """What a reply's id says. Fields are appended, never moved: ids live as long as an attribution window.

    ``digest`` is of the items shown, in order: whoever holds the id can say whether a list is still the same.
    """

    site: str
    placement: str
    model_version: str
    variant: str
    made_at_s: int
    nonce: bytes
    rule_ids: tuple[int, ...] = ()
    digest: int = 0
    arms: tuple[tuple[str, int], ...] = ()
    """Experiments, with the arm that the list was made for."""
    chance: tuple[int, ...] = ()
    """The fields of ``core.chance.Chance``; none where chance had no part."""


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(RecId)


def digest_of(item_ids: Iterable[str]) -> int:
    """Return the number under which an id remembers which items were shown, in order."""
    return zlib.crc32("\0".join(item_ids).encode())


class RecIdSigner:
    """Makes and checks ids with a key that is derived from the installation's secret."""

    def __init__(self, secret: str) -> None:
        key = hashlib.sha256(b"recsite.rec_id\0" + secret.encode()).digest()
        self._mac = hmac.new(key, digestmod=hashlib.sha256)

    def make(
        self,
        *,
        site: str,
        placement: str,
        model_version: str,
        variant: str,
        now_s: int,
        rule_ids: tuple[int, ...] = (),
        digest: int = 0,
        arms: tuple[tuple[str, int], ...] = (),
        chance: Chance | None = None,
    ) -> str:  # house: what an id says
        """Return a new id."""
        body = _ENCODER.encode(
            RecId(
                site,
                placement,
                model_version,
                variant,
                now_s,
                secrets.token_bytes(8),
                rule_ids[:8],
                digest,
                arms[:MAX_ARMS],
                () if chance is None else tuple(chance),
            )
        )
        return MARK + _written(body + self._signature(body))

    def read(self, rec_id: str, *, site: str) -> RecId:
        """Return what an id of this site says.

        Raises
        ------
        InvalidRecId
            Malformed, forged, or of another site.
        """
        if not rec_id.startswith(MARK) or len(rec_id) > 500:
            raise InvalidRecId(f"rec_id {rec_id[:20]!r} does not begin with {MARK!r}")
        encoded = rec_id[len(MARK) :]
        try:
            raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidRecId(f"rec_id {rec_id[:20]!r}… is not base64url") from error
        if _written(raw) != encoded:  # the last character has bits to spare: one list would be counted by several names
            raise InvalidRecId(f"rec_id {rec_id[:20]!r}… is written in another way than it was made")
        body, signature = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        if not hmac.compare_digest(signature, self._signature(body)):
            raise InvalidRecId(f"rec_id {rec_id[:20]!r}… was not signed here")
        try:
            said = _DECODER.decode(body)
        except msgspec.DecodeError as error:
            raise InvalidRecId(f"rec_id {rec_id[:20]!r}… is of another version") from error
        if said.site != site:
            raise InvalidRecId("the rec_id is of another site")
        return said

    def _signature(self, body: bytes) -> bytes:
        mac = self._mac.copy()
        mac.update(body)
        return mac.digest()[:_MAC_BYTES]


def _written(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def signer() -> RecIdSigner:
    """Return what signs and checks the ids of this installation."""
    return _signer(settings.SECRET_KEY)


@lru_cache(maxsize=4)
def _signer(secret: str) -> RecIdSigner:
    return RecIdSigner(secret)
