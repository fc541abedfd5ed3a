"""``/v1/health``: that the API answers, and which model versions do."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest
from ninja import Router, Schema

from recommendations.serving.outside.proposals import states_of
from recommendations.state.models import describe, watch_models
from recommendations.state.own_sources import watch_own_sources
from tracking.access.sites import find_key

router: Final = Router()


class Health(Schema):
    """That the API answers; with a key, which model versions do."""

    status: str
    site: str | None = None
    models: dict[str, Any] | None = None
    sources: dict[str, Any] | None = None


@router.get("/health", auth=None, response=Health, tags=["health"], operation_id="health", summary="Health")
def health(request: HttpRequest) -> Health:
    """Say that the API answers; with a key, which model versions do, and how the shop's own services are as sources.

    Of a service this process alone is heard: ``state`` (unused, closed, failing, open, tried), and requests by result.
    """
    value = request.headers.get("X-Api-Key") or request.headers.get("Authorization", "").removeprefix("Bearer ")
    key = find_key(value) if value else None
    if key is None:
        return Health(status="ok")
    models = watch_models(key.site.slug)
    described = describe(models.current()) if models.is_loaded else {}
    own = watch_own_sources(key.site.slug)
    sources = {
        name: {"state": breaker.state.value, "requests": breaker.counts}
        for name, breaker in states_of(key.site.slug).items()
        if own.is_loaded and name in own.current().http
    }
    return Health(status="ok", site=key.site.slug, models=described, sources=sources or None)
