"""What the API says of replies that were given, and of itself."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest
from ninja import Router, Schema

from recommendations.http.common import RecIdText, document, site_of
from recommendations.serving import explanation_log
from recommendations.serving.rec_ids import InvalidRecId, signer
from recommendations.state import models as live_models
from tracking.access.sites import find_key
from tracking.http.edge import Refusal

router: Final = Router()


class Health(Schema):
    """That the API answers; with a key, which model versions do."""

    status: str
    site: str | None = None
    models: dict[str, Any] | None = None


@router.get(
    "/explanations/{rec_id}",
    response=dict[str, Any],
    tags=["recommendations"],
    operation_id="explain",
    summary="Explain a reply",
)
def explain(request: HttpRequest, rec_id: RecIdText) -> dict[str, Any]:
    """Return what a reply showed and why, for 24 hours after it."""
    site = site_of(request)
    try:
        said = signer().read(rec_id, site=site.slug)
    except InvalidRecId as error:
        # One answer for all reasons: that a reply is of another site is nobody's business.
        raise Refusal(
            404, "unknown_rec_id", "this site made no reply with this rec_id; send it whole, as it came", field="rec_id"
        ) from error
    found = explanation_log.find_explanation(rec_id, said)
    if found is None:
        raise Refusal(
            404, "not_kept", "this reply was not kept: it is older than a day, or not in the sample", field="rec_id"
        )
    return document(found)


@router.get("/health", auth=None, response=Health, tags=["health"], operation_id="health", summary="Health")
def health(request: HttpRequest) -> Health:
    """Say that the API answers, and which model versions do where the request carries a key."""
    value = request.headers.get("X-Api-Key") or request.headers.get("Authorization", "").removeprefix("Bearer ")
    key = find_key(value) if value else None
    if key is None:
        return Health(status="ok")
    models = live_models.watch_models(key.site.slug)
    described = live_models.describe(models.current()) if models.is_loaded else {}
    return Health(status="ok", site=key.site.slug, models=described)
