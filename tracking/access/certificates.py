"""Client certificates that nginx verified (mTLS), and how we know that it was our nginx that says so.

nginx passes the certificate in ``X-Recsite-Client-Cert`` and, beside it, a secret that only it and we know
(``RECSITE_PROXY_SECRET``). Without the right secret the certificate was never said. ``deploy/nginx/mtls.conf`` sets
both, and the plain listeners strip both.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import functools
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.conf import settings
from msgspec import Struct

from tracking.exceptions import TrackingError

CERTIFICATE_HEADER: Final = b"x-recsite-client-cert"
PROXY_SECRET_HEADER: Final = b"x-recsite-proxy-secret"
MAX_CERTIFICATE_BYTES: Final = 16 * 1024
_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"


class InvalidCertificate(TrackingError):
    """What was given is not one certificate in PEM form; paste the file that begins with BEGIN CERTIFICATE."""


class Certificate(Struct, frozen=True, kw_only=True):
    """What the admin shows of a certificate."""

    fingerprint: str
    subject: str
    expires_at: dt.datetime


def read_certificate(pem: str) -> Certificate:
    """Return what stands in a certificate; raises ``InvalidCertificate``."""
    try:
        found = x509.load_pem_x509_certificate(pem.strip().encode())
    except ValueError as error:
        raise InvalidCertificate(
            "this is not a certificate in PEM form; paste the file that begins with BEGIN CERTIFICATE"
        ) from error
    return Certificate(
        fingerprint=hashlib.sha256(found.public_bytes(Encoding.DER)).hexdigest(),
        subject=found.subject.rfc4514_string()[:300],
        expires_at=found.not_valid_after_utc,
    )


def vouched_fingerprint(headers: Mapping[bytes, bytes]) -> str | None:
    """Return the fingerprint of the certificate that our nginx verified for this request, if it did.

    Empty when what it passed cannot be read: a certificate nobody has.
    """
    said = headers.get(CERTIFICATE_HEADER)
    expected = settings.PROXY_SECRET
    if not said or not expected:
        return None
    if not hmac.compare_digest(headers.get(PROXY_SECRET_HEADER, b""), expected.encode()):
        return None
    return _fingerprint(said)


@functools.lru_cache(maxsize=256)
def _fingerprint(escaped: bytes) -> str:
    """Return the SHA-256 of the certificate in ``$ssl_client_escaped_cert``; nginx has verified it, we only name it."""
    if len(escaped) > 3 * MAX_CERTIFICATE_BYTES:
        return ""
    pem = unquote_to_bytes(escaped).strip()
    if not pem.startswith(_BEGIN) or not pem.endswith(_END):
        return ""
    try:
        der = base64.b64decode(b"".join(pem[len(_BEGIN) : -len(_END)].split()), validate=True)
    except (binascii.Error, ValueError):
        return ""
    return hashlib.sha256(der).hexdigest()
