"""What a request says of a client certificate counts only with the secret that our nginx and we share."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

import pytest

from tracking.access.certificates import (
    CERTIFICATE_HEADER,
    MAX_CERTIFICATE_BYTES,
    PROXY_SECRET_HEADER,
    InvalidCertificate,
    read_certificate,
    vouched_fingerprint,
)

DER = b"not parsed: nginx has verified it"
PEM = b"-----BEGIN CERTIFICATE-----\nbm90IHBhcnNlZDogbmdpbnggaGFz\nIHZlcmlmaWVkIGl0\n-----END CERTIFICATE-----\n"
SECRET = "shared-with-nginx"


@pytest.fixture(autouse=True)
def proxy_secret(settings) -> None:
    settings.PROXY_SECRET = SECRET


def headers(certificate: bytes, secret: str = SECRET) -> dict[bytes, bytes]:
    return {CERTIFICATE_HEADER: quote(certificate).encode(), PROXY_SECRET_HEADER: secret.encode()}


def test_the_fingerprint_is_that_of_the_certificate_in_its_binary_form() -> None:
    assert vouched_fingerprint(headers(PEM)) == hashlib.sha256(DER).hexdigest()


def test_without_the_secret_nothing_was_said(settings) -> None:
    assert vouched_fingerprint(headers(PEM, "guessed")) is None
    assert vouched_fingerprint({CERTIFICATE_HEADER: quote(PEM).encode()}) is None
    settings.PROXY_SECRET = ""
    assert vouched_fingerprint(headers(PEM, "")) is None


@pytest.mark.parametrize(
    "certificate",
    [b"garbage", b"-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----", b"x" * 4 * MAX_CERTIFICATE_BYTES],
)
def test_what_cannot_be_read_is_a_certificate_nobody_has(certificate: bytes) -> None:
    assert vouched_fingerprint(headers(certificate)) == ""


def test_a_form_names_the_remedy_for_what_is_no_certificate() -> None:
    with pytest.raises(InvalidCertificate, match="BEGIN CERTIFICATE"):
        read_certificate("hello")
