"""The checklist of the Embed page, as JSON: it turns green by itself."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse

from features.exceptions import StoreUnavailable
from features.quality.checklist import Embedding, checklist
from features.quality.gathering import gather_report
from features.store import connections
from features.store.placement_stats import read_placement_stats
from recommendations.models import Placement
from tracking.access.sites import live_keys
from tracking.error_codes import ErrorCode
from tracking.models import Site
from tracking.staff.sites import active_sites

if TYPE_CHECKING:
    from unfold.admin import ModelAdmin

DAY_MS: Final = 86_400_000
NO_CONSENT: Final = ("consent_denied", "global_privacy_control")


def embed_checks(model_admin: ModelAdmin, request: HttpRequest, site_id: int) -> HttpResponse:
    """Answer ``{"checks": [{name, title, state, seen, remedy}]}`` of a site that the staff member sees."""
    site = next((one for one in active_sites(request) if one.pk == site_id), None)
    if site is None or not request.user.has_perm("tracking.view_site"):
        raise Http404(f"there is no active site {site_id}")
    try:
        found = checklist(_embedding(site, host=request.build_absolute_uri("/").rstrip("/")))
    except StoreUnavailable as error:
        problem = {"error": ErrorCode.UNAVAILABLE, "message": str(error), "field": ""}
        return JsonResponse(problem, status=503)
    return JsonResponse({"checks": [asdict(check) for check in found]})


def _embedding(site: Site, *, host: str) -> Embedding:
    now_ms = time.time_ns() // 1_000_000
    report = gather_report(site, now_ms=now_ms)
    counts: dict[str, int] = {}
    for row in report.events:
        counts[row.name[0]] = counts.get(row.name[0], 0) + row.month
    return Embedding(
        host=host,
        has_key=live_keys(site, "pk").exists(),
        origins=tuple(site.origins),
        shop_url=site.url,
        honours_gpc=site.honours_gpc,
        has_event=bool(counts) or site.first_event_at is not None,
        counts=counts,
        catalogue=report.catalogue,
        placements=frozenset(Placement.objects.filter(site=site, is_active=True).values_list("name", flat=True)),
        lists=_lists(site, today=now_ms // DAY_MS),
        refused_by_consent=sum(row.month for row in report.warnings if row.name[0] in NO_CONSENT),
    )


def _lists(site: Site, *, today: int) -> dict[str, int]:
    client: Any = connections.client()
    found: dict[str, int] = {}
    for day in (today, today - 1):
        for stats in read_placement_stats(client, site.slug, day=day, partitions=connections.partitions()):
            if stats.impressions:
                found[stats.placement] = found.get(stats.placement, 0) + stats.impressions
    return found
