"""Make the certificates of an installation on one host; ``compose.yaml`` runs this before everything else.

Redis and Kafka get certificates of an authority that is made with them and whose key is forgotten at once, so nobody
can issue another one. The web server gets a certificate signed by itself, where it is a trial on this machine or where
an ACME authority replaces it; any other host needs a real one, and is told so.

    python deploy/certificates.py FOLDER [--domain localhost] [--acme | --own]
"""

from __future__ import annotations

import argparse
import datetime as dt
import ipaddress
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SERVICES: Final = ("redis", "kafka")
LASTS_DAYS: Final = 730
RENEWED_DAYS: Final = 90
"""What has less than this left is renewed at the next start."""


class RefusedDomain(Exception):
    """No browser accepts a certificate that this host signs for itself."""


def is_loopback(domain: str) -> bool:
    """Return whether ``domain`` names this machine alone."""
    if domain == "localhost" or domain.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(domain.strip("[]")).is_loopback
    except ValueError:
        return False


def make_inside(folder: Path, services: tuple[str, ...] = SERVICES) -> bool:
    """Make ``ca/ca.crt``, and in a folder of each service its key, its certificate and both in one file.

    Returns whether anything was made: an authority that is renewed renews all, since its key is not kept.
    """
    files = [folder / "ca/ca.crt", *(folder / name / "server.crt" for name in services)]
    if all(_lasts(path) for path in files):
        return False
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("Recsite inside", authority_key, None, authority_key, is_authority=True)
    for name in services:
        key = ec.generate_private_key(ec.SECP256R1())
        _write_pair(folder / name, _certificate(name, key, authority, authority_key, names=(name, "localhost")), key)
        # Redis and Kafka run as users of their own images: each sees only the folder that is mounted for it.
        (folder / name / "server.key").chmod(0o644)
        pair = (folder / name / "server.key").read_bytes() + (folder / name / "server.crt").read_bytes()
        _write(folder / name / "server.pem", pair, mode=0o644)
        _write(folder / name / "ca.crt", _pem(authority), mode=0o644)
    _write(folder / "ca/ca.crt", _pem(authority), mode=0o644)
    return True


def make_web(folder: Path, domain: str, *, is_replaced_by_acme: bool = False) -> bool:
    """Make ``server.crt`` and ``server.key``, signed by itself, unless a certificate is there; return whether it was.

    Raises
    ------
    RefusedDomain
        The domain is not this machine's own name, and nobody replaces the certificate.
    """
    path = folder / "server.crt"
    if path.exists() and (_lasts(path, domain) or not _is_self_signed(path)):
        return False
    if not is_loopback(domain) and not is_replaced_by_acme:
        raise RefusedDomain(
            f"RECSITE_DOMAIN={domain!r} needs a certificate that browsers accept: set RECSITE_TLS to a folder with "
            "server.crt and server.key, or COMPOSE_PROFILES=acme and RECSITE_ACME_EMAIL; localhost gets one for trials"
        )
    key = ec.generate_private_key(ec.SECP256R1())
    _write_pair(folder, _certificate(domain, key, None, key, names=(domain,)), key)
    return True


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    names: tuple[str, ...] = (),
    is_authority: bool = False,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    now = dt.datetime.now(dt.UTC)
    public = key.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=LASTS_DAYS))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=0 if is_authority else None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(one) for one in names]), False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        return x509.DNSName(name)


def _lasts(path: Path, domain: str | None = None) -> bool:
    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return False
    if domain is not None and _general_name(domain) not in _names_of(found):
        return False
    return found.not_valid_after_utc - dt.datetime.now(dt.UTC) > dt.timedelta(days=RENEWED_DAYS)


def _names_of(certificate: x509.Certificate) -> list[x509.GeneralName]:
    try:
        return list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return []


def _is_self_signed(path: Path) -> bool:
    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError:
        return True  # unreadable: of no use to anybody
    return found.issuer == found.subject


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write_pair(folder: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(folder / "server.key", private, mode=0o600)
    _write(folder / "server.crt", _pem(certificate), mode=0o644)


def _write(path: Path, content: bytes, *, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    new.touch(mode=mode)
    new.chmod(mode)
    new.write_bytes(content)
    new.replace(path)


def main(arguments: list[str] | None = None, say: Callable[[str], object] = print) -> int:
    """Make what is missing or ends soon, and say so."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--domain", default="localhost")
    parser.add_argument("--acme", action="store_true", help="an ACME authority replaces the web server's certificate")
    parser.add_argument("--own", action="store_true", help="the web server has a certificate of its own")
    chosen = parser.parse_args(arguments)
    if make_inside(chosen.folder):
        say(f"made the certificates of {' and '.join(SERVICES)}")
    if chosen.own:
        return 0
    try:
        if make_web(chosen.folder / "web", chosen.domain, is_replaced_by_acme=chosen.acme):
            say(f"made a certificate for {chosen.domain} that is signed by itself")
    except RefusedDomain as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
