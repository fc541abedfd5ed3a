"""The running shop as simulated shoppers reach it: the API over HTTP, as a browser would call it."""

from __future__ import annotations

import http.client
import time
from collections.abc import Sequence
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from recsite.demo.simulation.shoppers import Shopper
from recsite.demo.simulation.visits import ShownList
from tracking.access.identity import sign_token
from tracking.contract.events import SCHEMA_VERSION, BaseEvent

T = TypeVar("T")

TIMEOUT_S: Final = 5.0
USER_AGENT: Final = "Mozilla/5.0 (compatible; RecsiteDemoShopper/1.0)"
"""Programs that name themselves are left out of all figures; these shoppers are here to be counted."""
_MAX_ANSWER_BYTES: Final = 1_000_000


class NotServed(RuntimeError):
    """The shop could not be reached, or refused; the message says which. Come back later."""


class _Item(msgspec.Struct):
    item_id: str


class _List(msgspec.Struct):
    placement: str
    items: list[_Item]
    rec_id: str = ""


class _Lists(msgspec.Struct):
    results: list[_List]


class _Taken(msgspec.Struct):
    accepted: int
    rejected: list[dict[str, Any]] = []


class HttpStorefront:
    """Asks for lists and sends events over one kept connection; not thread-safe.

    Parameters
    ----------
    url : str
        Where the shop runs, such as ``http://127.0.0.1:8000``.
    site : str
        Its slug.
    key : str
        The publishable key.
    token_secret : str
        Signs who is logged in, as a shop's server does.
    """

    def __init__(self, url: str, *, site: str, key: str, token_secret: str, timeout_s: float = TIMEOUT_S) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"url={url!r} is not the address of a demo; use one such as http://127.0.0.1:8000")
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout_s)
        self._site = site
        self._key = key
        self._token_secret = token_secret

    def lists(
        self, shopper: Shopper, placements: Sequence[str], *, context: Sequence[str] = (), cart: Sequence[str] = ()
    ) -> list[ShownList]:
        """Return the lists of a page; without those whose placement staff has removed."""
        asked = [{"placement": placement, "context_items": list(context)} for placement in placements]
        body = {**self._who(shopper), "placements": asked, "cart": list(cart), "fields": ["item_id"]}
        answer = self._post("/v1/recommendations", body, _Lists)
        return [
            ShownList(shown.placement, shown.rec_id, tuple(item.item_id for item in shown.items))
            for shown in answer.results
            if shown.rec_id
        ]

    def tell(self, shopper: Shopper, events: Sequence[BaseEvent]) -> None:
        """Send events; raises ``NotServed`` also when one of them is refused."""
        body = {
            **self._who(shopper),
            "v": SCHEMA_VERSION,
            "sent_at": time.time_ns() // 1_000_000,
            "ctx": {"lang": "en", "lib": "demo"},
            "events": list(events),
        }
        taken = self._post("/v1/events", body, _Taken)
        if taken.rejected:
            raise NotServed(f"collect refused an event: {taken.rejected[0]}")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _who(self, shopper: Shopper) -> dict[str, str]:
        # A browser has an anonymous id whoever is logged in; without one, collect would issue another each time.
        who = {"key": self._key, "anonymous_id": shopper.anonymous_id or f"demo-browser-{shopper.name}"}
        if shopper.user_id is not None:
            who["user_id"] = shopper.user_id
            who["user_token"] = sign_token(self._token_secret, site=self._site, user_id=shopper.user_id)
        return who

    def _post(self, path: str, body: dict[str, Any], answer: type[T]) -> T:
        headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT}
        try:
            self._connection.request("POST", path, body=msgspec.json.encode(body), headers=headers)
            response = self._connection.getresponse()
            content = response.read(_MAX_ANSWER_BYTES)
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()  # the next request opens it again
            raise NotServed(f"POST {path}: {error!r}") from error
        if response.status >= 400:
            self._connection.close()
            raise NotServed(f"POST {path}: {response.status} {content[:300].decode('utf-8', 'replace')}")
        try:
            return msgspec.json.decode(content, type=answer)
        except msgspec.DecodeError as error:
            raise NotServed(f"POST {path}: the answer is not what the API says: {error}") from error
