"""What is kept of an erased user: a keyed hash and a time, in the database and beside the archive.

A restored database meets the files beside the archive, and a restored archive the rows of the database; the sweep
brings both to the same. Without the installation's secret nobody can tell whom a hash stands for.
"""

from __future__ import annotations

import hashlib
import hmac
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec
from django.conf import settings
from msgspec import Struct

from features.archive.writer import ArchiveFolder

FOLDER: Final = "erased"
_PREFIX: Final = "k-"
_SALT: Final = b"recsite.features.privacy.tombstones:"
_ENCODE: Final = msgspec.json.Encoder().encode
_DECODE: Final = msgspec.json.Decoder


class Tombstone(Struct, frozen=True, kw_only=True):
    """Whose events of a site must not come back, and of when.

    ``spans`` holds first and last millisecond; of a browser that several people use, only the times of the erased one.
    """

    site: str
    user_hash: str
    spans: list[tuple[int, int]]

    @property
    def erased_until_ms(self) -> int:
        """The last moment that is erased; -1 where none is."""
        return max((last for _, last in self.spans), default=-1)

    def joined(self, spans: Iterable[tuple[int, int]]) -> Tombstone:
        """Return the tombstone with more spans; those that meet become one."""
        found: list[tuple[int, int]] = []
        for first, last in sorted((*self.spans, *map(tuple, spans))):
            if found and first <= found[-1][1] + 1:
                found[-1] = (found[-1][0], max(found[-1][1], last))
            else:
                found.append((first, last))
        return Tombstone(site=self.site, user_hash=self.user_hash, spans=found)


_DECODER: Final = _DECODE(Tombstone)


def user_hash(site: str, user_key: str) -> str:
    """Return what is kept of an erased user: HMAC-SHA-256 by the installation's secret, 64 characters."""
    return _keyed(settings.SECRET_KEY, site, user_key)


def hashes(site: str, user_key: str) -> list[str]:
    """Return every hash that may stand for a user: by this secret, by earlier ones, and the unkeyed one of 0.2."""
    keyed = [_keyed(secret, site, user_key) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]
    return [*keyed, hashlib.sha256(f"{site}/{user_key}".encode()).hexdigest()]


def is_erased(spans_of: Mapping[str, Sequence[Sequence[int]]], site: str, user_key: str, at_ms: int) -> bool:
    """Return whether one of the hashes of a user has a span that holds ``at_ms``."""
    return any(first <= at_ms <= last for one in hashes(site, user_key) for first, last in spans_of.get(one, ()))


def write(folder: ArchiveFolder, tombstone: Tombstone) -> None:
    """Write a tombstone beside the archive; one of the same user is replaced. Raises ``OSError``."""
    path = _path(folder, tombstone.site, tombstone.user_hash)
    folder.fs.makedirs(posixpath.dirname(path), exist_ok=True)
    draft = f"{path}.part"
    folder.fs.pipe_file(draft, _ENCODE(tombstone))
    folder.fs.mv(draft, path)


def read(folder: ArchiveFolder) -> Iterator[Tombstone]:
    """Yield the tombstones beside the archive. Raises ``OSError``."""
    folder.fs.invalidate_cache()
    for path in sorted(folder.fs.glob(posixpath.join(folder.root, FOLDER, "site=*", "*.json"))):
        yield _DECODER.decode(folder.fs.cat_file(path))


def _path(folder: ArchiveFolder, site: str, user_hash: str) -> str:
    return posixpath.join(folder.root, FOLDER, f"site={site}", f"{user_hash}.json")


def _keyed(secret: str | bytes, site: str, user_key: str) -> str:
    digest = hmac.digest(
        secret.encode() if isinstance(secret, str) else secret, _SALT + f"{site}/{user_key}".encode(), "sha256"
    ).hex()
    return _PREFIX + digest[: 64 - len(_PREFIX)]
