"""What lists brought, in the API: for BI tools, with the grain and the attribution that they ask for."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final, Literal

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema

from features.money import to_major
from recommendations.http.common import site_of
from recommendations.models import ReportState
from recommendations.reports.figures import Figures
from recommendations.reports.query import InvalidReport, ReportQuery
from tracking.error_codes import ErrorCode
from tracking.http.edge import Refusal

router: Final = Router()

Grain = Literal["day", "hour", "placement", "variant", "model_version", "rule", "item"]
AttributionKey = Literal["last_click_1d", "last_click_7d", "last_touch_1d", "last_touch_7d", "linear_1d", "linear_7d"]


class ReportAsked(Schema):
    """Days of the site's time zone with both ends, the grain of the rows, and who gets the credit."""

    first: dt.date | None = Field(None, description="The first day; six days before the last where it is left out.")
    last: dt.date | None = Field(None, description="The last day; today where it is left out.")
    by: Grain = Field("day", description="One row for each.")
    attribution: AttributionKey = Field(
        "last_click_1d", description="Model and window; items know `last_click_1d` alone."
    )
    placement: str = Field("", max_length=128, description="Of one placement alone.")


class ReportRow(Schema):
    """Figures of a group; ``key`` is a day, an hour's beginning, or a name, and empty where there is none."""

    key: str
    lists: int
    impressions: int
    clicks: int
    add_to_carts: float
    orders: float
    units: float
    revenue: float
    revenue_apart: dict[str, float] = Field(description="What no exchange rate converts, by currency.")


class Report(Schema):
    """A report; ``incremental`` figures stand with experiments and hold-outs."""

    first: dt.date
    last: dt.date
    time_zone: str
    currency: str
    by: Grain
    attribution: AttributionKey
    made_at: dt.datetime | None = Field(description="When the figures were last added up.")
    rows: list[ReportRow]


@router.get("/reports", response=Report, tags=["reports"], operation_id="readReport", summary="Read a report")
def read_report(request: HttpRequest, requested: Query[ReportAsked]) -> dict[str, Any]:
    """Return what lists brought in some days, by one grain; of items at most the best 200."""
    site = site_of(request, "first", "last", "by", "attribution", "placement")
    try:
        query = ReportQuery.parse(requested.dict())
    except InvalidReport as error:
        raise Refusal(400, ErrorCode.INVALID_REQUEST, str(error), field=error.field) from error
    first, last = query.days(site)
    state = ReportState.objects.filter(site=site).first()
    return {
        "first": first,
        "last": last,
        "time_zone": site.time_zone,
        "currency": site.currency,
        "by": query.by,
        "attribution": "last_click_1d" if query.by == "item" else query.attribution,
        "made_at": state.made_at if state else None,
        "rows": [_row(one) for one in query.rows(site)],
    }


def _row(figures: Figures) -> dict[str, Any]:
    return {
        "key": figures.name,
        "lists": figures.lists,
        "impressions": figures.impressions,
        "clicks": figures.clicks,
        "add_to_carts": figures.carts,
        "orders": figures.orders,
        "units": figures.units,
        "revenue": to_major(figures.revenue, figures.currency),
        "revenue_apart": {currency: to_major(amount, currency) for currency, amount in figures.apart.items()},
    }
