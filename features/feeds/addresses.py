"""Web addresses of pages and pictures as shops write them: without a scheme, with blanks, several in one cell. Pure."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, urlsplit

from features.feeds.mends import BadValue, Mends
from features.feeds.texts import as_text, unescaped

MAX_ADDRESS: Final = 2_000
_SEVERAL: Final = re.compile(r"\s*[,;|]\s*(?=https?://|//|/|www\.)|\s+(?=https?://)", re.IGNORECASE)
_PLAIN: Final = re.compile(r"https?://[A-Za-z0-9.\-]+(?:/[A-Za-z0-9._~\-/?=%+]*)?")
_HOST: Final = re.compile(r"(?:[\w\-]+\.)+[A-Za-z\u00a1-\uffff]{2,24}(?::\d{1,5})?(?=[/?#]|$)")
_FILES: Final = frozenset({"jpg", "jpeg", "png", "gif", "webp", "avif", "svg", "html", "htm", "php", "asp", "aspx"})
_SAFE: Final = "%/:?#[]@!$&'()*+,;=~{}"  # "{w}" stands for a picture's width


def as_address(field: str, value: object, *, mends: Mends | None = None) -> str:
    """Return an ``http(s)`` address, or a path on the shop; an empty text for none.

    Raises
    ------
    BadValue
        It is neither, or too long.
    """
    if mends is not None:
        several: list[object] = list(value) if isinstance(value, list | tuple) else [value]
        listed = [_linked(each) for each in several]
        value = next((each for each in listed if each is not None and (not isinstance(each, str) or each.strip())), "")
    text = as_text(field, value, longest=10**6)
    mended = text if mends is None or _PLAIN.fullmatch(text) else _mended(text)
    if len(mended) > MAX_ADDRESS:
        raise BadValue(field, text, f"has {len(mended)} characters; the most is {MAX_ADDRESS}")
    try:
        parts = urlsplit(mended)
        _ = parts.port
    except ValueError as error:
        raise BadValue(field, text, f"is not a URL: {error}") from error
    has_host = parts.scheme in ("http", "https") and parts.hostname and not re.search(r'[\s<>"]', parts.netloc)
    if mended and not has_host and not re.match(r"/(?!/)", mended):
        raise BadValue(field, text, "is not a web address; start it with https:// or, on the shop itself, with /")
    if mends is not None and mended != text:
        mends.count(field, "address put right", text)
    return mended


def _linked(value: object) -> object:
    """Return the address of an object that has one, as in ``{"id": 4, "src": "https://…"}``."""
    if isinstance(value, dict):
        return next((value[name] for name in ("url", "src", "href", "link") if isinstance(value.get(name), str)), value)
    return value


def _mended(text: str) -> str:
    first = _SEVERAL.split(unescaped(text), maxsplit=1)[0].strip().strip("\"'<>")
    if not first:
        return ""
    lower = first.lower()
    if lower.startswith(("http://", "https://")):
        scheme, _, rest = first.partition("://")
        first = f"{scheme.lower()}://{rest}"
    elif first.startswith("//"):
        first = f"https:{first}"
    elif re.match(r"https?:/(?!/)", lower):
        first = first.replace(":/", "://", 1)
    elif (host := _HOST.match(first)) and _is_host(host[0], first):
        first = f"https://{first}"
    host_name = re.match(r"https?://[^/?#\\]*", first)
    at = host_name.end() if host_name else 0
    return first[:at] + quote(first[at:].replace("\\", "/"), safe=_SAFE)


def _is_host(host: str, address: str) -> bool:
    """Return whether a name is a host, and no file: ``3.jpg`` is a picture."""
    return host != address or host.rpartition(".")[2].lower() not in _FILES
