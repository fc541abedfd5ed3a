"""Exchange rates in the API: a shop's server writes them day by day, reads and deletes them."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Final

from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from ninja import Field, Query, Router, Schema
from pydantic import StringConstraints, WithJsonSchema

from features.exchange.reading import MAX_RATE, MIN_RATE, BadTable, read_rows
from features.exchange.table import delete_rates, rates_of, write_quotes
from features.models import ExchangeRate
from recommendations.http.common import site_of
from tracking.error_codes import ErrorCode
from tracking.http.edge import Refusal

MAX_WRITTEN: Final = 5_000
MAX_PAGE: Final = 1_000
router: Final = Router()

Code = Annotated[str, StringConstraints(pattern=r"^([A-Z]{3})?$")]
_CURSOR: Final = r"^(\d{4}-\d{2}-\d{2}/[A-Z]{3}/[A-Z]{3})?$"


class RateOut(Schema):
    """One unit of ``currency`` was worth ``rate`` ``worth_in`` on a day."""

    day: dt.date
    currency: str
    worth_in: str
    rate: float


class RatePage(Schema):
    """One page; ``next`` is the ``after`` of the following one."""

    rates: list[RateOut]
    next: str | None


class SpanQuery(Schema):
    """Which rates: a currency, and a span of UTC days with both ends; all where nothing is named."""

    currency: Code = Field("", description="The currency that is quoted, such as USD.")
    first: dt.date | None = None
    last: dt.date | None = None


class RatesQuery(SpanQuery):
    """Which rates, where the page begins, and how long it is."""

    after: Annotated[str, StringConstraints(pattern=_CURSOR)] = Field("", description="`next` of the page before.")
    limit: int = Field(MAX_PAGE, ge=1, le=MAX_PAGE)


_RATE_IN: Final[dict[str, Any]] = {
    "type": "object",
    "description": "One `currency` is worth `rate` `worth_in`, which is the site's currency where it is left out.",
    "required": ["day", "currency", "rate"],
    "additionalProperties": False,
    "properties": {
        "day": {"type": "string", "format": "date"},
        "currency": {"type": "string", "pattern": "^[A-Z]{3}$", "description": "A code of ISO 4217."},
        "worth_in": {"type": "string", "pattern": "^[A-Z]{3}$"},
        "rate": {"anyOf": [{"type": "number", "minimum": float(MIN_RATE), "maximum": float(MAX_RATE)},
                           {"type": "string", "description": "The same as a text, for exact decimals."}]},
    },
}  # fmt: skip


class RatesIn(Schema, extra="forbid"):
    """Rates to write: each has ``day``, ``currency``, ``rate`` and, where it is not the site's, ``worth_in``."""

    rates: list[Annotated[dict[str, Any], WithJsonSchema(_RATE_IN)]] = Field(min_length=1, max_length=MAX_WRITTEN)


class RatesWritten(Schema):
    """What became of the rates."""

    created: int
    changed: int
    unchanged: int


class RatesDeleted(Schema):
    """How many rates are gone."""

    deleted: int


@router.get(
    "/exchange-rates", response=RatePage, tags=["exchange rates"], operation_id="listExchangeRates",
    summary="List exchange rates",
)  # fmt: skip
def list_exchange_rates(request: HttpRequest, page: Query[RatesQuery]) -> dict[str, Any]:
    """Return the site's rates by day; ask for the next page with ``after``."""
    site = site_of(request, "currency", "first", "last", "after", "limit")
    rows = rates_of(site, currency=page.currency, first=page.first, last=page.last)
    if page.after:
        rows = rows.filter(_after(page.after))
    found = list(rows[: page.limit + 1])
    shown = found[: page.limit]
    return {"rates": shown, "next": _cursor(shown[-1]) if len(found) > page.limit else None}


@router.put(
    "/exchange-rates", response=RatesWritten, tags=["exchange rates"], operation_id="writeExchangeRates",
    summary="Write exchange rates",
)  # fmt: skip
def write_exchange_rates(request: HttpRequest, body: RatesIn) -> dict[str, int]:
    """Write rates, all of them or none. Of a day and pair that is known, the new rate holds; all others stay."""
    site = site_of(request)
    known = RateOut.model_fields.keys()
    for index, row in enumerate(body.rates):
        if unknown := row.keys() - known:
            name = min(unknown)[:100]
            reason = f"{name!r} is not a field of a rate; remove it, or write one of {', '.join(known)}"
            raise Refusal(400, ErrorCode.INVALID_REQUEST, reason, field=f"rates[{index}].{name}")
    try:
        table = read_rows(body.rates, site_currency=site.currency, today=timezone.now().date())
        done = write_quotes(site, table.quotes)
    except BadTable as error:
        fault = error.faults[0]
        field = fault.field if fault.field == "rates" else f"rates[{fault.line}].{fault.field}"
        more = f"; {error.n_faults - 1} more are wrong" if error.n_faults > 1 else ""
        message = f"{fault.field}={fault.value!r} {fault.reason}; nothing was written{more}"
        raise Refusal(400, ErrorCode.INVALID_REQUEST, message, field=field) from error
    return {"created": done.created, "changed": done.changed, "unchanged": done.unchanged}


@router.delete(
    "/exchange-rates", response=RatesDeleted, tags=["exchange rates"], operation_id="deleteExchangeRates",
    summary="Delete exchange rates",
)  # fmt: skip
def delete_exchange_rates(request: HttpRequest, span: Query[SpanQuery]) -> dict[str, int]:
    """Delete the rates of a currency and a span of days; without either, all of the site's."""
    site = site_of(request, "currency", "first", "last")
    return {"deleted": delete_rates(site, currency=span.currency, first=span.first, last=span.last)}


def _cursor(row: ExchangeRate) -> str:
    return f"{row.day}/{row.currency}/{row.worth_in}"


def _after(cursor: str) -> Q:
    written, currency, worth_in = cursor.split("/")
    try:
        day = dt.date.fromisoformat(written)
    except ValueError as error:
        raise Refusal(
            400,
            ErrorCode.INVALID_REQUEST,
            f"after={cursor!r} is no page; send `next` of the page before",
            field="after",
        ) from error
    same_day = Q(day=day) & (Q(currency__gt=currency) | Q(currency=currency, worth_in__gt=worth_in))
    return Q(day__gt=day) | same_day
