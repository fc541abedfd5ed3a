"""OAuth2 access tokens that carry what they open, signed: hot paths check them in memory, the moment they are issued.

A token is ``ot_<client>.<issued at>.<expires at>.<scopes>.<random>.<signature>``; the scopes are letters. Signed with
the installation's secret key (HMAC-SHA-256, 192 bits kept). Whether it was revoked is for ``access.sites`` to say.
"""

from __future__ import annotations

import base64
import hmac
import secrets
import time
from collections.abc import Iterable
from typing import Any, Final

from django.conf import settings
from msgspec import Struct

TOKEN_PREFIX: Final = "ot_"  # noqa: S105  (what a token begins with)
LETTERS: Final = {"events": "e", "recommendations": "r", "catalogue": "c", "users": "u", "reports": "p"}
_SCOPES: Final = {letter: scope for scope, letter in LETTERS.items()}
_SIGNATURE_BYTES: Final = 24


class Token(Struct, frozen=True, kw_only=True):
    """What a token says, once its signature was found to be ours."""

    client_id: int
    issued_at: float  # epoch seconds
    expires_at: float
    scopes: frozenset[str]


def make_token(*, client_id: int, scopes: Iterable[str], ttl_s: int, now: float) -> str:
    """Return a new token; raises ``KeyError`` for an unknown scope."""
    letters = "".join(sorted(LETTERS[scope] for scope in scopes))
    random = secrets.token_urlsafe(12)
    said = f"{TOKEN_PREFIX}{client_id}.{int(now)}.{int(now) + ttl_s}.{letters}.{random}"
    return f"{said}.{_signature(said)}"


def read_token(value: str) -> Token | None:
    """Return what ``value`` says, or ``None`` when it is no token of ours; does not look at the time."""
    said, _, signature = value.rpartition(".")
    if (
        not value.startswith(TOKEN_PREFIX)
        or not value.isascii()
        or not hmac.compare_digest(signature, _signature(said))
    ):
        return None
    client_id, issued_at, expires_at, letters, _ = said.removeprefix(TOKEN_PREFIX).split(".")
    return Token(
        client_id=int(client_id),
        issued_at=float(issued_at),
        expires_at=float(expires_at),
        scopes=frozenset(_SCOPES[letter] for letter in letters),
    )


def generate(request: Any, refresh_token: bool = False) -> str:
    """Make the token of an OAuth2 request; django-oauth-toolkit calls it (``ACCESS_TOKEN_GENERATOR``)."""
    return make_token(
        client_id=request.client.recsite_client.pk,
        scopes=request.scopes,
        ttl_s=int(request.expires_in),
        now=time.time(),
    )


def _signature(said: str) -> str:
    key = hmac.digest(b"recsite.oauth2.token", settings.SECRET_KEY.encode(), "sha256")
    mac = hmac.digest(key, said.encode(), "sha256")[:_SIGNATURE_BYTES]
    return base64.urlsafe_b64encode(mac).decode()
