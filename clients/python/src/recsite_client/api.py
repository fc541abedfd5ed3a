"""``Recsite(url, key).recommend(placement="home_for_you")``: one method for each operation of the API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from recsite_client.api_types import (
    OPERATIONS,
    ErasureReceipt,
    Health,
    HistoryPage,
    Item,
    ItemPage,
    Placement,
    PlacementRequest,
    RatePage,
    RatesDeleted,
    RatesWritten,
    Recommendations,
    Report,
    UserExport,
    WrittenItems,
)
from recsite_client.transport import Transport

TIMEOUT_S: Final = 5.0
RETRIES: Final = 2
T = TypeVar("T")


class Recsite:
    """A site's API. Thread-safe; make one a process.

    Parameters
    ----------
    url : str
        Where Recsite runs, such as ``https://rec.shop.example``.
    key : str
        A secret key (``sk_…``); with a publishable one only lists can be read.
    timeout_s : float
        For connecting, sending and each answer.
    retries : int
        How often a request is sent again after a broken connection, a 429 or a 503.

    Every method raises ``ApiError`` when the server refuses, and ``NoAnswer`` when it cannot be reached.
    """

    def __init__(self, url: str, key: str, *, timeout_s: float = TIMEOUT_S, retries: int = RETRIES) -> None:
        self._transport = Transport(url, key, timeout_s=timeout_s, retries=retries)

    def recommend(  # one argument for each field of the API's request; a test holds them to its document
        self,
        *,
        placements: Sequence[PlacementRequest] | None = None,
        placement: str | None = None,
        limit: int | None = None,
        context_items: Sequence[str] | None = None,
        filter: str | None = None,
        exclude: Sequence[str] | None = None,
        user_id: str | None = None,
        anonymous_id: str | None = None,
        user_token: str | None = None,
        cart: Sequence[str] | None = None,
        fields: Sequence[str] | None = None,
        budget_ms: int | None = None,
        explain: bool | None = None,
        url: str | None = None,
        lang: str | None = None,
        device: str | None = None,
        locale: str | None = None,
        country: str | None = None,
        campaign: str | None = None,
        query: str | None = None,
        page: str | None = None,
    ) -> Recommendations:
        """Return the lists of a page: of ``placements``, or of one ``placement``."""
        body = _given(
            placements=placements, placement=placement, limit=limit, context_items=context_items, filter=filter,
            exclude=exclude, user_id=user_id, anonymous_id=anonymous_id, user_token=user_token, cart=cart,
            fields=fields, budget_ms=budget_ms, explain=explain, url=url, lang=lang,
            device=device, locale=locale, country=country, campaign=campaign, query=query, page=page,
        )  # fmt: skip
        return self._call("recommend", Recommendations, body=body)

    def recommend_public(
        self,
        placement: str,
        *,
        context_items: Sequence[str] | None = None,
        limit: int | None = None,
        filter: str | None = None,
        fields: Sequence[str] | None = None,
        lang: str | None = None,
    ) -> Recommendations:
        """Return the list that everybody gets; the one kind that caches may keep."""
        query = _given(
            context_items=None if context_items is None else ",".join(context_items), limit=limit, filter=filter,
            fields=None if fields is None else ",".join(fields), lang=lang,
        )  # fmt: skip
        return self._call("recommendPublic", Recommendations, path={"placement": placement}, query=query)

    def rank(  # one argument for each field of the API's request; a test holds them to its document
        self,
        items: Sequence[str],
        *,
        placement: str | None = None,
        limit: int | None = None,
        context_items: Sequence[str] | None = None,
        filter: str | None = None,
        user_id: str | None = None,
        anonymous_id: str | None = None,
        user_token: str | None = None,
        fields: Sequence[str] | None = None,
        budget_ms: int | None = None,
        explain: bool | None = None,
        lang: str | None = None,
        url: str | None = None,
        device: str | None = None,
        locale: str | None = None,
        country: str | None = None,
        campaign: str | None = None,
        query: str | None = None,
        page: str | None = None,
    ) -> Recommendations:
        """Return these items in this user's order."""
        body = _given(
            items=items, placement=placement, limit=limit, context_items=context_items, filter=filter, user_id=user_id,
            anonymous_id=anonymous_id, user_token=user_token, fields=fields, budget_ms=budget_ms, explain=explain,
            lang=lang, url=url, device=device, locale=locale, country=country, campaign=campaign, query=query,
            page=page,
        )  # fmt: skip
        return self._call("rank", Recommendations, body=body)

    def list_items(self, *, after: str | None = None, limit: int | None = None) -> ItemPage:
        """Return one page of the catalogue."""
        return self._call("listItems", ItemPage, query=_given(after=after, limit=limit))

    def iter_items(self, *, page_size: int = 200) -> Iterator[Item]:
        """Yield the whole catalogue, a page at a time."""
        after: str | None = ""
        while after is not None:
            page = self.list_items(after=after, limit=page_size)
            yield from page.items
            after = page.next

    def write_items(self, items: Sequence[Mapping[str, Any]]) -> WrittenItems:
        """Create or change at most 1,000 items; what an item leaves out stays as it is."""
        return self._call("writeItems", WrittenItems, body={"items": items})

    def read_item(self, item_id: str) -> Item:
        """Return one item."""
        return self._call("readItem", Item, path={"item_id": item_id})

    def write_item(self, item_id: str, fields: Mapping[str, Any]) -> Item:
        """Create an item or change one."""
        return self._call("writeItem", Item, path={"item_id": item_id}, body=dict(fields))

    def hide_item(self, item_id: str) -> None:
        """Never recommend an item again; its history stays."""
        self._send("hideItem", path={"item_id": item_id})

    def list_placements(self) -> list[Placement]:
        """Return the active placements of the site."""
        return self._call("listPlacements", list[Placement])

    def list_exchange_rates(
        self,
        *,
        currency: str | None = None,
        first: str | None = None,
        last: str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> RatePage:
        """Return one page of the site's exchange rates, by day; days as ``2026-11-28``."""
        query = _given(currency=currency, first=first, last=last, after=after, limit=limit)
        return self._call("listExchangeRates", RatePage, query=query)

    def write_exchange_rates(self, rates: Sequence[Mapping[str, Any]]) -> RatesWritten:
        """Write at most 5,000 rates, all of them or none: ``{"day": "2026-11-28", "currency": "USD", "rate": .86}``."""
        return self._call("writeExchangeRates", RatesWritten, body={"rates": rates})

    def delete_exchange_rates(
        self, *, currency: str | None = None, first: str | None = None, last: str | None = None
    ) -> RatesDeleted:
        """Delete the rates of a currency and a span of days; without either, all of the site's."""
        query = _given(currency=currency, first=first, last=last)
        return self._call("deleteExchangeRates", RatesDeleted, query=query)

    def read_report(
        self,
        *,
        first: str | None = None,
        last: str | None = None,
        by: str | None = None,
        attribution: str | None = None,
        placement: str | None = None,
    ) -> Report:
        """Return what lists brought in some days (as ``2026-11-28``), by one grain and one attribution."""
        query = _given(first=first, last=last, by=by, attribution=attribution, placement=placement)
        return self._call("readReport", Report, query=query)

    def export_user(self, user_id: str, *, anonymous_id: Sequence[str] = ()) -> UserExport:
        """Return everything that is kept of a user."""
        query = {"anonymous_id": anonymous_id}
        return self._call("exportUser", UserExport, path={"user_id": user_id}, query=query)

    def read_features(self, user_id: str, *, anonymous_id: Sequence[str] = ()) -> dict[str, Any]:
        """Return a user's real-time features."""
        query = {"anonymous_id": anonymous_id}
        return self._call("readFeatures", dict[str, Any], path={"user_id": user_id}, query=query)

    def read_history(
        self, user_id: str, *, after: str | None = None, limit: int | None = None, anonymous_id: Sequence[str] = ()
    ) -> HistoryPage:
        """Return one page of a user's archived events, newest first."""
        query = {"anonymous_id": anonymous_id, **_given(after=after, limit=limit)}
        return self._call("readHistory", HistoryPage, path={"user_id": user_id}, query=query)

    def iter_history(
        self, user_id: str, *, page_size: int = 200, anonymous_id: Sequence[str] = ()
    ) -> Iterator[dict[str, Any]]:
        """Yield all of a user's archived events, newest first, a page at a time."""
        after: str | None = ""
        while after is not None:
            page = self.read_history(user_id, after=after, limit=page_size, anonymous_id=anonymous_id)
            yield from page.events
            after = page.next

    def erase_user(self, user_id: str, *, anonymous_id: Sequence[str] = ()) -> ErasureReceipt:
        """Erase a user from every store; safe to repeat."""
        query = {"anonymous_id": anonymous_id}
        return self._call("eraseUser", ErasureReceipt, path={"user_id": user_id}, query=query)

    def read_erasure(self, user_id: str) -> ErasureReceipt:
        """Return the receipt of a user's last erasure."""
        return self._call("readErasure", ErasureReceipt, path={"user_id": user_id})

    def explain(self, rec_id: str) -> dict[str, Any]:
        """Return what a reply showed and why."""
        return self._call("explain", dict[str, Any], path={"rec_id": rec_id})

    def health(self) -> Health:
        """Return whether the API answers, and which model versions do."""
        return self._call("health", Health)

    def _call(self, operation: str, answer: type[T], **request: Any) -> T:
        return msgspec.json.decode(self._send(operation, **request), type=answer)

    def _send(
        self,
        operation: str,
        *,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
    ) -> bytes:
        _, method, template = OPERATIONS[operation]
        address = template.format(**{name: quote(value, safe="") for name, value in (path or {}).items()})
        query_string = urlencode(query or {}, doseq=True)
        return self._transport.send(method, f"{address}?{query_string}" if query_string else address, body)


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
