"""Who an event is about: anonymous ids, user tokens and consent.

A user is *identified* only when the shop's server vouched for it: by a secret key, or by a token it signed. A token is
a JWT (HS256, signed with the site's token secret) with the claims ``sub`` (user id), ``site`` (slug), ``iat`` and
``exp`` (at most 15 minutes ahead). A token that is not valid never breaks tracking: the user stays
anonymous, and the answer carries a warning that says why.
"""

from __future__ import annotations

import re
import secrets
import time
from collections import OrderedDict
from typing import Final

import jwt
from msgspec import Struct

from tracking.access.sites import KeyInfo, SiteInfo
from tracking.contract.placeholders import is_placeholder
from tracking.contract.user_key import UserKey, user_key_of
from tracking.metrics import IDENTITY_WARNINGS

ANONYMOUS_COOKIE: Final = "rec_aid"
TOKEN_MAX_AGE_S: Final = 15 * 60
CLOCK_LEEWAY_S: Final = 30
MAX_CACHED_TOKENS: Final = 20_000
_ANONYMOUS_ID: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")
_MAX_USER_ID: Final = 128


class Identity(Struct, frozen=True, kw_only=True):
    """Whose events these are. ``user_id`` is set only when the shop's server vouched for it."""

    anonymous_id: str | None
    user_id: str | None
    warnings: tuple[str, ...] = ()

    @property
    def is_verified(self) -> bool:
        """Whether the shop's server vouched for the user."""
        return self.user_id is not None

    @property
    def user_key(self) -> UserKey:
        """The key under which this user's features are kept."""
        return user_key_of(user_id=self.user_id, anonymous_id=self.anonymous_id)


class Claim(Struct, frozen=True):
    """What a token proves (``user_id``), or why it proves nothing (``warning``)."""

    user_id: str | None = None
    warning: str | None = None


def resolve(
    key: KeyInfo,
    *,
    anonymous_id: str | None = None,
    cookie_anonymous_id: str | None = None,
    user_id: str | None = None,
    user_token: str | None = None,
    issue: bool = True,
) -> Identity:
    """Return whose request this is.

    Parameters
    ----------
    key : KeyInfo
        A secret key vouches for any ``user_id`` by itself; a publishable one needs ``user_token``.
    anonymous_id, cookie_anonymous_id : str, optional
        What the body and the cookie say; the body wins, and a malformed one is as good as none.
    user_id, user_token : str, optional
        What the body says. The token is what counts.
    issue : bool
        Whether to make an anonymous id where there is neither one nor a user. Without, both may be missing.
    """
    anonymous = well_formed_anonymous_id(anonymous_id) or well_formed_anonymous_id(cookie_anonymous_id)
    warnings: tuple[str, ...] = ()
    known: str | None = None
    if user_id is not None and is_placeholder(user_id):
        IDENTITY_WARNINGS.labels("user_id_placeholder").inc()
        user_id, warnings = None, ("user_id_placeholder",)
    if key.is_secret and user_id is not None:
        known = user_id
    elif user_token is not None or user_id is not None:
        claim = verify_token(key.site, user_token, expected_user_id=user_id)
        known = claim.user_id
        if claim.warning is not None:
            warnings = (*warnings, claim.warning)
    if anonymous is None and known is None and issue:
        anonymous = new_anonymous_id()
    return Identity(anonymous_id=anonymous, user_id=known, warnings=warnings)


def new_anonymous_id() -> str:
    """Return 128 random bits, in hex."""
    return secrets.token_hex(16)


def well_formed_anonymous_id(value: str | None) -> str | None:
    """Return ``value`` when it can be an anonymous id, else ``None``."""
    return value if value is not None and _ANONYMOUS_ID.fullmatch(value) else None


def sign_token(site_secret: str, *, site: str, user_id: str, ttl_s: int = TOKEN_MAX_AGE_S) -> str:
    """Return a token as the shop's server signs it; for the demo shop, the Python client and tests."""
    now = int(time.time())
    return jwt.encode({"sub": user_id, "site": site, "iat": now, "exp": now + ttl_s}, site_secret, algorithm="HS256")


def verify_token(site: SiteInfo, token: str | None, *, expected_user_id: str | None = None) -> Claim:
    """Return the user that ``token`` proves for ``site``, or why it is not valid.

    Warnings: ``user_token_missing`` · ``user_token_expired`` · ``user_token_invalid`` (forged, malformed or a claim
    is missing) · ``user_token_wrong_site`` · ``user_token_too_long`` (``exp`` more than 15 minutes ahead) ·
    ``user_token_mismatch`` (of another user than ``user_id``) · ``user_id_placeholder`` (``sub`` stands for nobody).
    """
    claim = Claim(warning="user_token_missing") if not token else _valid_claims.get(site, token)
    if claim.user_id is not None and is_placeholder(claim.user_id):
        claim = Claim(warning="user_id_placeholder")
    if claim.user_id is not None and expected_user_id is not None and claim.user_id != expected_user_id:
        claim = Claim(warning="user_token_mismatch")
    if claim.warning is not None:
        IDENTITY_WARNINGS.labels(claim.warning).inc()
    return claim


class _TokenCache:
    """Tokens that were valid lately; verifying one costs 43 us. Bounded: the oldest are forgotten."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._seen: OrderedDict[tuple[str, str, str], tuple[str, float]] = OrderedDict()

    def get(self, site: SiteInfo, token: str) -> Claim:
        now = time.time()
        entry = (site.slug, site.token_secret, token)  # a new secret must not find what the old one signed
        seen = self._seen.get(entry)
        if seen is not None:
            if seen[1] > now:
                return Claim(user_id=seen[0])
            self._seen.pop(entry, None)
            return Claim(warning="user_token_expired")
        claim, expires_at = _verify(site, token, now=now)
        if claim.user_id is not None:
            self._seen[entry] = (claim.user_id, expires_at)
            while len(self._seen) > self._size:
                self._seen.popitem(last=False)
        return claim


def _verify(site: SiteInfo, token: str, *, now: float) -> tuple[Claim, float]:
    if not site.token_secret:
        return Claim(warning="user_token_invalid"), 0.0
    try:
        claims = jwt.decode(
            token,
            site.token_secret,
            algorithms=["HS256"],
            leeway=CLOCK_LEEWAY_S,
            options={"require": ["sub", "site", "iat", "exp"], "verify_aud": False},
        )
    except jwt.ExpiredSignatureError:
        return Claim(warning="user_token_expired"), 0.0
    except (jwt.InvalidTokenError, ValueError, RecursionError):
        return Claim(warning="user_token_invalid"), 0.0
    user_id, expires_at = claims["sub"], float(claims["exp"])
    if claims["site"] != site.slug:
        return Claim(warning="user_token_wrong_site"), 0.0
    if expires_at - now > TOKEN_MAX_AGE_S + CLOCK_LEEWAY_S:
        return Claim(warning="user_token_too_long"), 0.0
    if not isinstance(user_id, str) or not 0 < len(user_id) <= _MAX_USER_ID or "\0" in user_id:
        return Claim(warning="user_token_invalid"), 0.0
    return Claim(user_id=user_id), expires_at + CLOCK_LEEWAY_S


_valid_claims: Final = _TokenCache(MAX_CACHED_TOKENS)
