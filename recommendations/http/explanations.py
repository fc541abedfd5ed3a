"""``/v1/explanations/<rec_id>``: what a reply showed and why."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest
from ninja import Router

from recommendations.http.common import RecIdText, document, site_of
from recommendations.serving import explanation_log
from recommendations.serving.rec_ids import InvalidRecId, signer
from tracking.error_codes import ErrorCode
from tracking.http.edge import Refusal

router: Final = Router()


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
            404,
            ErrorCode.UNKNOWN_REC_ID,
            "this site made no reply with this rec_id; send it whole, as it came",
            field="rec_id",
        ) from error
    found = explanation_log.find_explanation(rec_id, said)
    if found is None:
        raise Refusal(
            404,
            ErrorCode.NOT_KEPT,
            "this reply was not kept: it is older than a day, or not in the sample",
            field="rec_id",
        )
    return document(found)
