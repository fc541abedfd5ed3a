"""A request of a hot path, the answer to it, and what both hold: keys, origins, addresses, cookies."""

from __future__ import annotations

import functools
import hmac
import ipaddress
import random
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl

from django.conf import settings
from django.http import HttpRequest

from tracking.access.certificates import vouched_fingerprint
from tracking.access.sites import KeyInfo, SiteInfo, find_certificate, find_key
from tracking.access.tokens import TOKEN_PREFIX
from tracking.contract.network_tag import DAY_MS, tag_of_voice, voice_of_network
from tracking.error_codes import ErrorCode
from tracking.exceptions import TrackingError

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header: TypeAlias = tuple[bytes, bytes]

COOKIE_AGE_S: Final = 365 * 86_400
MAX_QUERY_FIELDS: Final = 50
LOOPBACK: Final = "127.0.0.1"
_NEAR: Final = (
    *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"),
    *("::1/128", "fc00::/7", "fe80::/10"),
)
SECRET_FIELDS: Final = frozenset({"user_token", "access_token", "client_secret"})
"""Fields that are secret whatever stands in them."""
_SECRET_TEXTS: Final = ("sk_", TOKEN_PREFIX)
_SECRET_PREFIXES: Final = tuple(text.encode() for text in _SECRET_TEXTS)
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")


class Refusal(TrackingError):
    """An answer that is an error of the caller's, or says that a part is unavailable.

    Parameters
    ----------
    status : int
        HTTP status.
    code : ErrorCode
        Stable word for programs.
    message : str
        The thing, the value and the remedy.
    field : str
        What it is about, where there is such a thing.
    retry_after_s : int, optional
        When to try again.
    headers : iterable of header pairs
        What else the answer carries.
    """

    def __init__(
        self,
        status: int,
        code: ErrorCode,
        message: str,
        *,
        field: str = "",
        retry_after_s: int | None = None,
        headers: Iterable[Header] = (),
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.field = field
        self.retry_after_s = retry_after_s
        self.headers = list(headers)
        self.extra = extra or {}


class Disconnected(TrackingError):
    """The client disconnected before its body was read; there is nobody to answer."""


class Reply:
    """An answer: bytes, JSON unless ``headers`` name another ``content-type``."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, body: bytes = b"", *, status: int = 200, headers: list[Header] | None = None) -> None:
        self.body = body
        self.status = status
        self.headers = headers if headers is not None else []


class Request:
    """A request whose body is read already, with what hot paths read of it; the rest is computed at first use."""

    def __init__(self, scope: Scope, body: bytes, *, received_at: float) -> None:
        self.scope = scope
        self.body = body
        self.method: str = scope["method"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.received_at_ms = int(received_at * 1000)
        self.key: KeyInfo | None = None
        #: The caller's ``X-Request-Id`` when it is well-formed, else a new one.
        self.id: str = _request_id(self.headers.get(b"x-request-id"))

    @functools.cached_property
    def query(self) -> dict[str, str]:
        """The query's fields; the last one of a name counts."""
        try:
            pairs = parse_qsl(
                self.scope.get("query_string", b"").decode("ascii"),
                keep_blank_values=True,
                max_num_fields=MAX_QUERY_FIELDS,
            )
        except (ValueError, UnicodeDecodeError) as error:
            raise Refusal(
                400, ErrorCode.INVALID_REQUEST, f"the query cannot be read: {error}; percent-encode it", field="query"
            ) from error
        return dict(pairs)

    @property
    def origin(self) -> str | None:
        """The origin of the page that sends the request, as its browser says."""
        origin = self.headers.get(b"origin")
        return None if origin is None else origin.decode("latin-1")

    @property
    def user_agent(self) -> str:
        """The browser or library, as it says itself; cut at 512 characters."""
        return self.headers.get(b"user-agent", b"")[:512].decode("latin-1")

    @property
    def signals_gpc(self) -> bool:
        """Whether the browser sends Global Privacy Control."""
        return self.headers.get(b"sec-gpc") == b"1"

    @property
    def is_https(self) -> bool:
        """Whether the user's browser speaks https, with a trusted proxy's word for it."""
        if (proto := self.headers.get(b"x-forwarded-proto")) and self._comes_from_proxy:
            return proto.split(b",")[-1].strip() == b"https"
        return self.scope.get("scheme") == "https" or bool(settings.HTTPS)

    @property
    def address(self) -> str:
        """Return the client's address, as seen by the outermost proxy we trust; never stored as it is.

        ``X-Forwarded-For`` counts where proxies are trusted, and the connection comes from one of their networks,
        where those are named.
        uvicorn, started without ``--no-proxy-headers``, takes the word of whoever connects from this machine, and puts
        it in place of the connection's address: where no proxy is trusted, that is undone.
        """
        hops = self._forwarded_for
        peer = self._peer
        if not hops:
            return peer
        if not settings.TRUSTED_PROXIES:
            return LOOPBACK if peer and any(_host_of(hop) == peer for hop in hops) else peer
        return _host_of(hops[max(len(hops) - settings.TRUSTED_PROXIES, 0)]) if self._comes_from_proxy else peer

    @property
    def is_forwarded(self) -> bool:
        """Whether a proxy says that it sends this for somebody else, whether or not its word is taken."""
        return b"x-forwarded-for" in self.headers

    @property
    def _forwarded_for(self) -> list[str]:
        """The entries of all ``X-Forwarded-For`` headers, the nearest proxy's last."""
        if not self.is_forwarded:
            return []
        values = [value for name, value in self.scope["headers"] if name == b"x-forwarded-for"]
        return [hop.strip() for hop in b",".join(values).decode("latin-1").split(",")]

    @property
    def _peer(self) -> str:
        """The other end of the connection, as the server says; empty for a Unix socket."""
        client = self.scope.get("client")
        return str(client[0]) if client else ""

    @property
    def _comes_from_proxy(self) -> bool:
        if not settings.TRUSTED_PROXIES:
            return False
        networks = tuple(settings.TRUSTED_PROXY_NETWORKS)
        return not networks or _is_in(self._peer, networks)

    def network_digest(self) -> str:
        """Return a keyed hash of the client's network (IPv4 /24, IPv6 /64), for quotas that senders share."""
        return _address_digest(self.address, settings.SECRET_KEY, 24)

    def address_digest(self) -> str:
        """Return a keyed hash of the client's network (IPv4 address, IPv6 /64), for quotas."""
        return _address_digest(self.address, settings.SECRET_KEY, 32)

    def network_tag(self, site: str) -> int | None:
        """Return what stands for the client's network (IPv4 /24, IPv6 /64) in records of a site, today (UTC).

        None for an address of this machine or of a private network, which is that of a proxy that is not trusted, of a
        test, of a demo: nothing is known of visitors' networks then.

        Returns
        -------
        int
            Of 32 bits, never 0: another one for each site and day, which nobody can join without the secret key.
        """
        address = self.address
        if _is_near(address):
            return None
        return _network_tag(address, settings.SECRET_KEY, site, self.received_at_ms // DAY_MS)

    def cookie(self, name: str) -> str | None:
        """Return a cookie's value."""
        header = self.headers.get(b"cookie")
        if header is None:
            return None
        for part in header.split(b";"):
            key, _, value = part.strip().partition(b"=")
            if key == name.encode():
                return value.decode("latin-1")
        return None

    def authenticate(self, key_in_body: str | None = None, *, scope: str, secret_only: bool = False) -> KeyInfo:
        """Return the key that the request carries, and check that it may be used for ``scope`` from where it is used.

        Looked for in ``Authorization: Bearer``, ``X-Api-Key``, the body and the query, in this order; a client
        certificate that our nginx verified stands in for a missing one. Raises ``Refusal``: 401 for a missing,
        unknown, expired or revoked key, 403 for one in the wrong place or without the scope, 400 for a secret in the
        address.
        """
        if asked := self.scope.get("query_string", b""):
            _refuse_secrets_in(asked)
        value = self._key_in_headers() or key_in_body or self.query.get("key")
        key = credential(value, self.headers)
        origin = self.origin
        if key.is_secret:
            if origin is not None:
                raise Refusal(
                    403,
                    ErrorCode.SECRET_KEY_IN_BROWSER,
                    "a secret key must not be used from a page; revoke it and use the publishable key there",
                    field="key",
                )
        elif secret_only:
            raise Refusal(
                403, ErrorCode.SECRET_KEY_NEEDED, "this needs a secret key; send it from the shop's server", field="key"
            )
        elif origin is not None and not key.site.allows_origin(origin):
            raise Refusal(
                403,
                ErrorCode.ORIGIN_NOT_ALLOWED,
                f"origin {origin[:200]!r} is not on the site's list; add it to the site in the admin",
                field="origin",
            )
        check_scope(key, scope)
        self.key = key
        return key

    @property
    def presents_secret_key(self) -> bool:
        """Whether the headers or the query claim a secret key; such bodies may be larger."""
        return _presents_secret_key(self.headers, self.scope.get("query_string", b""))

    def _key_in_headers(self) -> str | None:
        bearer = self.headers.get(b"authorization")
        if bearer is not None and bearer[:7].lower() == b"bearer ":
            return bearer[7:].strip().decode("latin-1")
        value = self.headers.get(b"x-api-key")
        return value.decode("latin-1") if value else None


def request_of(request: HttpRequest) -> Request:
    """Return a request to Django as hot paths see it, without its body; for addresses, origins and cookies."""
    headers = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in request.headers.items()]
    client = (request.META.get("REMOTE_ADDR", ""), 0)
    scope = {"method": request.method, "scheme": request.scheme, "headers": headers, "client": client}
    return Request(scope, b"", received_at=0.0)


def credential(value: str | None, headers: Mapping[bytes, bytes]) -> KeyInfo:
    """Return the live key with this value, or what the client certificate that our nginx verified opens.

    A certificate beside a key must be of the same site. Raises ``Refusal`` 401, and ``SnapshotMissing``.
    """
    fingerprint = vouched_fingerprint(headers)
    by_certificate = None if fingerprint is None else find_certificate(fingerprint)
    if fingerprint is not None and by_certificate is None:
        raise Refusal(
            401,
            ErrorCode.UNKNOWN_CERTIFICATE,
            "the client certificate is unknown, expired or revoked; register it in the admin",
            field="certificate",
        )
    if not value:
        if by_certificate is not None:
            return by_certificate
        raise Refusal(
            401,
            ErrorCode.MISSING_KEY,
            "no key was sent; send one as 'Authorization: Bearer …', 'X-Api-Key: …' or 'key' in the body",
            field="key",
            headers=[(b"www-authenticate", b"Bearer")],
        )
    key = find_key(value)
    if key is None or (by_certificate is not None and by_certificate.site.slug != key.site.slug):
        raise Refusal(
            401,
            ErrorCode.UNKNOWN_KEY,
            f"key {value[:9] + '…'!r} is unknown, expired or revoked; copy a live one from the admin",
            field="key",
            headers=[(b"www-authenticate", b"Bearer")],
        )
    return key


def check_scope(key: KeyInfo, scope: str) -> None:
    """Raise the 403 for a token that was not given ``scope``; keys and certificates have all that their kind may."""
    if not key.may(scope):
        raise Refusal(
            403,
            ErrorCode.INSUFFICIENT_SCOPE,
            f"this token lacks the scope {scope!r}; request it with the token, and allow it in the admin",
            field="key",
            headers=[(b"www-authenticate", f'Bearer error="insufficient_scope", scope="{scope}"'.encode())],
        )


def set_cookie(name: str, value: str, *, is_secure: bool, max_age_s: int = COOKIE_AGE_S) -> Header:
    """Return a first-party cookie's header; scripts may read it, as the SDK must."""
    secure = "; Secure" if is_secure else ""
    return b"set-cookie", f"{name}={value}; Max-Age={max_age_s}; Path=/; SameSite=Lax{secure}".encode("latin-1")


def websocket_origin_is_allowed(scope: Scope, site: SiteInfo) -> bool:
    """Return whether the page that opens a WebSocket may use the site's publishable key."""
    for name, value in scope["headers"]:
        if name == b"origin":
            return site.allows_origin(value.decode("latin-1"))
    return True


def _refuse_secrets_in(query: bytes) -> None:
    """Refuse what proxies, histories and logs would keep: a secret key or a token in the address."""
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="replace"):
        if name in SECRET_FIELDS or value.startswith(_SECRET_TEXTS):
            raise Refusal(
                400,
                ErrorCode.INVALID_REQUEST,
                f"{name[:100]!r} in the address is a secret, and proxies and logs keep addresses; revoke it, and send "
                "keys as 'Authorization: Bearer', user tokens in the body",
                field=name[:100],
            )


def _presents_secret_key(headers: dict[bytes, bytes], query: bytes) -> bool:
    bearer = headers.get(b"authorization", b"")
    return (
        bearer[7:].lstrip().startswith(_SECRET_PREFIXES)
        or headers.get(b"x-api-key", b"").startswith(_SECRET_PREFIXES)
        or b"key=sk_" in query  # its body is read before it is refused
        or vouched_fingerprint(headers) is not None
    )


def _request_id(value: bytes | None) -> str:
    """Return the id that finds a request in the logs; it is no secret, so a cheap random number does."""
    if value is not None and _REQUEST_ID.fullmatch(text := value.decode("latin-1")):
        return text
    return f"{random.getrandbits(64):016x}"


@functools.lru_cache(maxsize=8192)
def _is_in(address: str, networks: tuple[str, ...]) -> bool:
    """Return whether an address is in one of the networks; who comes over a Unix socket, without address, is near."""
    if not address:
        return True
    parsed = _parsed(address)
    return parsed is not None and any(parsed in ipaddress.ip_network(network) for network in networks)


def _host_of(hop: str) -> str:
    """Return the address of an entry of ``X-Forwarded-For``, some of which come with a port."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


@functools.lru_cache(maxsize=8192)
def _address_digest(address: str, secret: str, ipv4_bits: int) -> str:
    network = network_of(address, ipv4_bits)
    return hmac.digest(secret.encode(), network.encode(), "sha256")[:12].hex()


@functools.lru_cache(maxsize=8192)
def _network_tag(address: str, secret: str, site: str, day: int) -> int:
    voice = voice_of_network(network_of(address), site=site, secret=secret)
    return tag_of_voice(voice, site=site, day=day, secret=secret)


@functools.lru_cache(maxsize=1024)
def _is_near(address: str) -> bool:
    """Return whether an address is of this machine or of a private network; also what is no address at all."""
    return _parsed(address) is None or _is_in(address, _NEAR)


def network_of(address: str, ipv4_bits: int = 24) -> str:
    """Return the network of an address (IPv4 /24, IPv6 /64), or what is no address as it is."""
    parsed = _parsed(address)
    if parsed is None:
        return address  # a Unix socket or a proxy's nonsense: still one caller
    bits = 64 if parsed.version == 6 else ipv4_bits
    return str(ipaddress.ip_network((parsed, bits), strict=False))


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    return parsed
