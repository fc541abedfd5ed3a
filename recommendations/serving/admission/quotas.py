"""The quotas of one web process: requests over HTTP and sockets by key and address, counted in one place."""

from __future__ import annotations

from typing import Final

from recommendations.serving.admission.prices import RequestPrice
from recommendations.serving.admission.turns import Sender
from tracking.access.sites import KeyInfo
from tracking.http.edge import Request
from tracking.http.quotas import Quotas, sender_of

PRICE_OF_A_REQUEST_US: Final = 1_000.0
USUAL_LISTS_US: Final = 10_000.0
"""The price of lists that no request pays for: nearly that of a page with one of each usual placement."""

quotas: Final = Quotas()


def take_quota(request: Request, key: KeyInfo, *, anonymous_id: str | None = None) -> None:
    """Count a request against the quotas of its address and its key; raises the 429.

    Pages share their key's quota fairly, by network and by whether their visitor is known (``tracking.http.quotas``).
    """
    site = key.site
    sender = None
    if not key.is_secret:
        _take_of_address(request, key, 1)
        sender = sender_of(request, site=site.slug, anonymous_id=anonymous_id)
    quotas.take(
        "recommendation requests",
        f"{site.slug}:{key.id}",
        amount=1,
        per_minute=site.requests_per_minute,
        sender=sender,
    )


def take_price(request: Request, key: KeyInfo, price: RequestPrice) -> None:
    """Count what a page's request costs beyond a usual one against its address; raises the 429.

    Each full millisecond of filters whose masks are not at hand, and of lists beyond ``USUAL_LISTS_US``, is one request
    more. The address alone pays, so that who sends dear requests spends their own quota and nobody else's.
    """
    n_more = int((price.filters + max(price.lists - USUAL_LISTS_US, 0.0)) // PRICE_OF_A_REQUEST_US)
    if n_more and not key.is_secret:
        _take_of_address(request, key, n_more)


def turn_of(request: Request, key: KeyInfo) -> Sender | None:
    """Return who waits for a turn with a request: its address, unless the key is secret or addresses have no quota."""
    per_minute = key.site.address_requests_per_minute
    if key.is_secret or not per_minute:
        return None
    return Sender(f"{key.site.slug}:{request.address_digest()}", per_minute)


def _take_of_address(request: Request, key: KeyInfo, amount: int) -> None:
    quotas.take(
        "requests of an address",
        f"{key.site.slug}:{request.address_digest()}",
        amount=amount,
        per_minute=key.site.address_requests_per_minute,
    )
