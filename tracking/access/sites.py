"""Sites and their keys: looked up in memory on hot paths, made, rotated and revoked here.

A revoked key is refused within five seconds everywhere: at once where the announcement arrives, else at the next
refresh. While the database is unavailable, the last copy goes on serving.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import secrets
import time
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.utils import timezone
from msgspec import Struct
from msgspec.structs import replace
from oauth2_provider.models import get_access_token_model

from tracking.access.tokens import TOKEN_PREFIX, read_token
from tracking.exceptions import TrackingError
from tracking.models import ApiKey, ClientCertificate, OAuthClient, QuarantinedSource, Site
from tracking.snapshots import by_site
from tracking.snapshots.snapshot import Snapshot, announce

KEYS_TOPIC: Final = "keys"
REFRESH_S: Final = 4.0
MAX_LIVE_SECRET_KEYS: Final = 2
QUARANTINE_OF_TAGS: Final = dt.timedelta(days=2)
"""The tag of a network is of one UTC day; what waits in a page or a queue comes within the next."""
ROTATION_GRACE: Final = dt.timedelta(hours=24)
DEFAULT_SITE: Final = "default"
CLOCK_SKEW_S: Final = 2.0
"""How far the clocks of two of our machines may be apart."""

_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_KEY_LENGTH: Final = 24  # 142 bits
_MAX_VALUE_LENGTH: Final = 128
_listeners: Final[list[Callable[[frozenset[str]], None]]] = []

KeyKind = Literal["pk", "sk"]


class TooManyKeys(TrackingError):
    """A site has two live secret keys already: enough to change from one to the next; revoke one first."""


class SiteInfo(Struct, frozen=True, kw_only=True):
    """What hot paths know of a site."""

    id: int
    slug: str
    name: str
    currency: str
    locale: str
    origins: frozenset[str]
    origin_suffixes: tuple[tuple[str, str], ...]  # ("https://", ".shop.example") for https://*.shop.example
    events_per_minute: int
    requests_per_minute: int
    address_requests_per_minute: int
    honours_gpc: bool
    token_secret: str
    quarantined: frozenset[int | str] = frozenset()  # tags of networks and user keys whose events are dropped

    def __repr__(self) -> str:
        return f"SiteInfo(slug={self.slug!r})"

    def allows_origin(self, origin: str) -> bool:
        """Return whether a page of ``origin`` may use the site's publishable keys; no list means every page."""
        if not self.origins and not self.origin_suffixes:
            return True
        origin = origin.lower()
        return origin in self.origins or any(
            origin.startswith(scheme) and origin.endswith(suffix) and len(origin) > len(scheme) + len(suffix)
            for scheme, suffix in self.origin_suffixes
        )


class KeyInfo(Struct, frozen=True, kw_only=True):
    """What hot paths know of a key, or of what stands in for a secret one: an OAuth2 token or a client certificate."""

    id: int | str
    """Unlike that of every other credential: the row's id for a key, ``oauth-3`` and ``certificate-5`` for others."""
    kind: KeyKind
    prefix: str
    site: SiteInfo
    expires_at: float | None  # epoch seconds
    scopes: frozenset[str] | None = None
    """What it may do; ``None``: all that its kind may."""

    @property
    def is_secret(self) -> bool:
        """Whether only the shop's own servers may use it."""
        return self.kind == "sk"

    def may(self, scope: str) -> bool:
        """Return whether it may be used for ``scope``."""
        return self.scopes is None or scope in self.scopes


class Keys(Struct, frozen=True):
    """All sites and live keys of the installation, at one moment; and what else opens them."""

    by_digest: dict[str, KeyInfo]
    by_slug: dict[str, SiteInfo]
    clients: dict[int, KeyInfo] = {}  # by the id of the OAuth2 client; ``scopes`` are the most its tokens may have
    live_tokens: frozenset[str] = frozenset()  # SHA-256 of OAuth2 tokens that are neither expired nor revoked
    certificates: dict[str, KeyInfo] = {}  # by fingerprint
    as_of: float = 0.0  # epoch seconds before the load began
    existing: frozenset[str] = frozenset()  # slugs of all sites, also of those that are not active

    def live_ids(self, *, now: float) -> set[int | str]:
        """Return the ids of all credentials that may be used."""
        everything = (*self.by_digest.values(), *self.clients.values(), *self.certificates.values())
        return {key.id for key in everything if key.expires_at is None or key.expires_at > now}


def load_keys() -> Keys:
    """Return the active sites, their unrevoked keys, clients and certificates, and the live tokens; six queries."""
    as_of = time.time()
    sites = list(Site.objects.all())
    dropped = _load_quarantined()
    by_id = {
        site.pk: replace(site_info(site), quarantined=dropped.get(site.pk, frozenset()))
        for site in sites
        if site.is_active
    }
    rows = ApiKey.objects.filter(revoked_at=None, site_id__in=by_id).only(
        "digest", "kind", "prefix", "site_id", "expires_at"
    )
    by_digest = {
        row.digest: KeyInfo(
            id=row.pk,
            kind="sk" if row.kind == ApiKey.Kind.SECRET else "pk",
            prefix=row.prefix,
            site=by_id[row.site_id],
            expires_at=row.expires_at.timestamp() if row.expires_at else None,
        )
        for row in rows
    }
    return Keys(
        by_digest=by_digest,
        by_slug={site.slug: site for site in by_id.values()},
        clients=_load_clients(by_id),
        live_tokens=_load_tokens(),
        certificates=_load_certificates(by_id),
        as_of=as_of,
        existing=frozenset(site.slug for site in sites),
    )


def _load_keys_and_drop() -> Keys:
    """Load the keys, and drop what this process holds in memory of sites that were deleted."""
    asked_at = time.monotonic()
    loaded = load_keys()
    by_site.drop_all_but(loaded.existing, made_before=asked_at)
    for listener in _listeners:
        listener(frozenset(loaded.by_slug))
    return loaded


def _load_quarantined() -> dict[int, frozenset[int | str]]:
    """Return by site whose events are dropped; tags of networks as long as requests may still carry them."""
    since = timezone.now() - QUARANTINE_OF_TAGS
    rows = QuarantinedSource.objects.filter(Q(network=None) | Q(made_at__gt=since))
    found: dict[int, set[int | str]] = {}
    for site_id, network, user_key in rows.values_list("site_id", "network", "user_key"):
        found.setdefault(site_id, set()).add(user_key if network is None else network)
    return {site_id: frozenset(names) for site_id, names in found.items()}


def _load_clients(by_id: dict[int, SiteInfo]) -> dict[int, KeyInfo]:
    rows = OAuthClient.objects.filter(revoked_at=None, site_id__in=by_id).values_list("pk", "site_id", "scopes")
    return {
        pk: KeyInfo(
            id=f"oauth-{pk}",
            kind="sk",
            prefix=f"{TOKEN_PREFIX}{pk}",
            site=by_id[site_id],
            expires_at=None,
            scopes=frozenset(scopes),
        )
        for pk, site_id, scopes in rows
    }


def _load_tokens() -> frozenset[str]:
    tokens = get_access_token_model().objects.filter(expires__gt=timezone.now())
    return frozenset(tokens.values_list("token_checksum", flat=True))


def _load_certificates(by_id: dict[int, SiteInfo]) -> dict[str, KeyInfo]:
    rows = ClientCertificate.objects.filter(revoked_at=None, site_id__in=by_id)
    return {
        row.fingerprint: KeyInfo(
            id=f"certificate-{row.pk}",
            kind="sk",
            prefix=row.fingerprint[:9],
            site=by_id[row.site_id],
            expires_at=row.expires_at.timestamp(),
        )
        for row in rows
    }


def site_info(site: Site) -> SiteInfo:
    """Return what hot paths know of ``site``."""
    origins = [str(origin).lower().rstrip("/") for origin in site.origins]
    suffixes = tuple(
        (scheme + "://", host[1:])
        for scheme, _, host in (origin.partition("://") for origin in origins)
        if host.startswith("*.")
    )
    return SiteInfo(
        id=site.pk,
        slug=site.slug,
        name=site.name,
        currency=site.currency,
        locale=site.locale,
        origins=frozenset(origin for origin in origins if "*" not in origin),
        origin_suffixes=suffixes,
        events_per_minute=site.events_per_minute,
        requests_per_minute=site.requests_per_minute,
        address_requests_per_minute=site.address_requests_per_minute,
        honours_gpc=site.honours_gpc,
        token_secret=site.token_secret,
    )


keys: Final[Snapshot[Keys]] = Snapshot(KEYS_TOPIC, _load_keys_and_drop, refresh_s=REFRESH_S)


def find_key(value: str) -> KeyInfo | None:
    """Return the live key with this value from memory; ``None`` when there is none, or it expired or was revoked.

    Raises
    ------
    SnapshotMissing
        No key was ever loaded; answer 503.
    """
    if len(value) > _MAX_VALUE_LENGTH:
        return None
    if value.startswith(TOKEN_PREFIX):
        return _find_token(value)
    digest = _digest_of_public(value) if value.startswith("pk_") else digest_of(value)
    key = keys.current().by_digest.get(digest)
    if key is None or (key.expires_at is not None and key.expires_at <= time.time()):
        return None
    return key


def _find_token(value: str) -> KeyInfo | None:
    """Return what an OAuth2 token opens.

    Its signature says that we made it, so that it can be used the moment it is issued; that it was not revoked is
    known once a load is younger than it is.
    """
    token = read_token(value)
    now = time.time()
    if token is None or token.expires_at <= now:
        return None
    live = keys.current()
    client = live.clients.get(token.client_id)
    if client is None or client.scopes is None:
        return None
    is_too_new_to_be_known = token.issued_at > live.as_of - CLOCK_SKEW_S
    if not is_too_new_to_be_known and digest_of(value) not in live.live_tokens:
        return None
    return replace(client, expires_at=token.expires_at, scopes=client.scopes & token.scopes)


def find_certificate(fingerprint: str) -> KeyInfo | None:
    """Return what a verified client certificate opens; ``None`` when it is unknown, revoked or expired.

    Raises ``SnapshotMissing`` as ``find_key`` does.
    """
    key = keys.current().certificates.get(fingerprint)
    return None if key is None or (key.expires_at is not None and key.expires_at <= time.time()) else key


def before_sites_are_known(listener: Callable[[frozenset[str]], None]) -> None:
    """Call ``listener`` with the active sites at each load of the keys, before the keys of new sites open anything.

    It runs in the thread that loads keys, so that it must be short.
    """
    if listener not in _listeners:
        _listeners.append(listener)


def all_sites() -> Iterable[SiteInfo]:
    """Return the active sites from memory; raises ``SnapshotMissing`` as ``find_key`` does."""
    return keys.current().by_slug.values()


def digest_of(value: str) -> str:
    """Return the SHA-256 of a key's value, in hex."""
    return hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()


_digest_of_public: Final = functools.lru_cache(maxsize=1024)(digest_of)
"""The same, remembered: of publishable keys alone, which stand in every page, so that no secret stays in memory."""


def create_key(
    site: Site, kind: KeyKind, label: str = "", *, expires_at: dt.datetime | None = None
) -> tuple[ApiKey, str]:
    """Make a key and return it with its value; the value of a secret key is known only now.

    Raises
    ------
    TooManyKeys
        The site has two live secret keys.
    """
    if kind not in ("pk", "sk"):
        raise ValueError(f"kind={kind!r} is not a kind of key; use 'pk' or 'sk'")
    value = f"{kind}_" + "".join(secrets.choice(_BASE62) for _ in range(_KEY_LENGTH))
    with transaction.atomic():
        Site.objects.select_for_update().get(pk=site.pk)  # two requests at once must not make a third secret key
        if kind == "sk" and live_keys(site, "sk").count() >= MAX_LIVE_SECRET_KEYS:
            raise TooManyKeys(
                f"site {site.slug!r} has {MAX_LIVE_SECRET_KEYS} live secret keys; revoke one before making another"
            )
        key = ApiKey.objects.create(
            site=site,
            kind=kind,
            label=label,
            prefix=value[:9],
            public_value=value if kind == "pk" else "",
            digest=digest_of(value),
            expires_at=expires_at,
        )
    return key, value


def rotate(key: ApiKey, *, grace: dt.timedelta = ROTATION_GRACE) -> tuple[ApiKey, str]:
    """Make a successor of ``key`` and let ``key`` expire after ``grace``; raises as ``create_key`` does."""
    with transaction.atomic():
        successor, value = create_key(key.site, "sk" if key.kind == "sk" else "pk", key.label)
        ends_at = timezone.now() + grace
        if key.expires_at is None or key.expires_at > ends_at:
            key.expires_at = ends_at
            key.save(update_fields=["expires_at"])
    return successor, value


def revoke(key: ApiKey) -> None:
    """Refuse the key from now on: within five seconds in every process."""
    if key.revoked_at is None:
        key.revoked_at = timezone.now()
        key.save(update_fields=["revoked_at"])


def live_keys(site: Site, kind: KeyKind) -> Any:
    """Return the keys of a site that are neither revoked nor expired, as a query set."""
    live = ApiKey.objects.filter(site=site, kind=kind, revoked_at=None)
    return live.exclude(expires_at__lte=timezone.now())


def ensure_default_site() -> tuple[Site, str]:
    """Return the first site and the value of its publishable key, making both where they are missing."""
    site = Site.objects.order_by("pk").first()
    if site is None:
        site, _ = Site.objects.get_or_create(slug=DEFAULT_SITE, defaults={"name": "My shop"})
    key = live_keys(site, "pk").first()
    if key is not None:
        return site, key.public_value
    return site, create_key(site, "pk", "Shop pages")[1]


@receiver([post_save, post_delete], sender=Site)
@receiver([post_save, post_delete], sender=ApiKey)
@receiver([post_save, post_delete], sender=OAuthClient)
@receiver([post_save, post_delete], sender=ClientCertificate)
@receiver([post_save, post_delete], sender=QuarantinedSource)
@receiver([post_save, post_delete], sender=settings.OAUTH2_PROVIDER_ACCESS_TOKEN_MODEL)
def _announce_keys(sender: type[Any], **kwargs: Any) -> None:
    announce(KEYS_TOPIC)
