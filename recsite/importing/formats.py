"""Which source reads which file."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from recsite.importing.base import InvalidSource, Source
from recsite.importing.sources.ga4 import Ga4Source
from recsite.importing.sources.online_retail import OnlineRetailSource
from recsite.importing.sources.own_lines import OwnLinesSource
from recsite.importing.sources.retailrocket import RetailRocketSource

FORMATS: Final = ("retailrocket", "online_retail", "jsonl", "ga4")
_PEEK: Final = 4_096


def open_source(path: Path, *, site: str, file_format: str | None = None, milliseconds: bool = False) -> Source:
    """Return the source that reads ``path``; without ``file_format`` it is told from name and content.

    Raises
    ------
    InvalidSource
        There is no such file, or it is of no known format.
    """
    if not path.exists():
        raise InvalidSource(f"{path} does not exist")
    chosen = file_format or detect_format(path)
    source: Source
    if chosen == "retailrocket":
        source = RetailRocketSource(path, site=site, milliseconds=milliseconds)
    elif chosen == "online_retail":
        source = OnlineRetailSource(path, site=site)
    elif chosen == "ga4":
        source = Ga4Source(path, site=site)
    else:
        source = OwnLinesSource(path, site=site)
    if not data_file(source).is_file():
        raise InvalidSource(f"{data_file(source)} does not exist; give the path of the file itself")
    return source


def data_file(source: Source) -> Path:
    """Return the file that a source reads."""
    return source.path


def detect_format(path: Path) -> str:
    """Return the format of a file or folder from its name and its first bytes.

    Raises
    ------
    InvalidSource
        It looks like none of them.
    """
    if path.is_dir():
        if (path / "events.csv").exists():
            return "retailrocket"
        if (path / "online_retail.parquet").exists():
            return "online_retail"
        raise InvalidSource(f"{path} holds neither events.csv nor online_retail.parquet; give a file and --format")
    with path.open("rb") as handle:
        head = handle.read(_PEEK).removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"PAR1"):
        return "online_retail"
    if head.startswith(b"{"):
        return "ga4" if b'"event_timestamp"' in head else "jsonl"
    if head.lower().startswith(b"timestamp,visitorid,event,itemid"):
        return "retailrocket"
    raise InvalidSource(f"{path} looks like none of {', '.join(FORMATS)}; say which with --format")
