"""The built browser files: their version, bytes, ETag and integrity, read once."""

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).resolve().parents[1] / "static" / "recsite"
FILES: Final = (
    "rec.js", "tracker.js", "widget.js", "datalayer.js", "debug.js", "list.js", "lists.js", "live.js", "markup.js",
    "stub.js", "token.js",
)  # fmt: skip
MAJOR: Final = "v1"
_VERSION: Final = re.compile(rb"/\*! rec\.js (\d+\.\d+\.\d+) ")


@dataclass(frozen=True, slots=True, kw_only=True)
class SdkFile:
    """One built file."""

    name: str
    version: str
    content: bytes
    gzipped: bytes
    etag: str
    integrity: str

    @property
    def path(self) -> str:
        """The address that always has the newest file of this major version."""
        return f"/r/{MAJOR}/{self.name}"

    @property
    def immutable_path(self) -> str:
        """The address whose bytes never change, for pages that check ``integrity``."""
        return f"/r/v{self.version}/{self.name}"


def current_file(name: str) -> SdkFile | None:
    """Return the newest build of a file of the SDK, or ``None`` when there is no such file."""
    return _read(FOLDER / name, name) if name in FILES else None


def file_of_version(name: str, version: str) -> SdkFile | None:
    """Return the build of an exact version; older ones are kept in ``static/recsite/<version>/``."""
    current = current_file(name)
    if current is None or current.version == version:
        return current
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        return None
    return _read(FOLDER / version / name, name)


def _read(path: Path, name: str) -> SdkFile | None:
    try:
        changed_ns = path.stat().st_mtime_ns
    except OSError:
        return None
    return _load(path, name, changed_ns)


@functools.lru_cache(maxsize=64)
def _load(path: Path, name: str, changed_ns: int) -> SdkFile:
    content = path.read_bytes()
    version = _VERSION.match(content)
    if version is None:
        raise ValueError(f"{path.name} does not begin with its version; run `npm run build` in sdk/")
    digest = hashlib.sha384(content).digest()
    return SdkFile(
        name=name,
        version=version[1].decode(),
        content=content,
        gzipped=gzip.compress(content, 9, mtime=0),
        etag=f'"{digest[:12].hex()}"',
        integrity="sha384-" + base64.b64encode(digest).decode(),
    )
