"""A site's own ONNX models: which are installed, whether this process answers with them, and who uses them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from recommendations.admin.own.names import placements_with
from recommendations.inference.own_model import MODEL
from recommendations.state.own_models import OwnModels, watch_own_models
from recommendations.versions.own_models import OwnModelOptions, installed_models, options_of
from tracking.admin.screens import screen, site_choice
from tracking.models import Site
from tracking.staff.sites import may

VIEW: Final = "recommendations.view_modelversion"
STATES: Final = {
    "answers": gettext_noop("answers"),
    "refused": gettext_noop("refused"),
    "before": gettext_noop("refused, the one before answers"),
}


def own_models(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """Show the models of one site's own; they are installed by ``manage.py own_model``, beside their files."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    choice = site_choice(request)
    site: Site | None = choice["site"]
    if site is not None and not may(request.user, VIEW, site.pk):
        raise PermissionDenied
    rows = [] if site is None else rows_of(site)
    return screen(
        model_admin,
        request,
        "admin/recommendations/own/models.html",
        title=_("Models of the shop's own"),
        **choice,
        rows=rows,
        is_refused=any(row["state"] != "answers" for row in rows),
    )


def rows_of(site: Site) -> list[dict[str, Any]]:
    """Return what the page shows of each model, by name; the state is that of this process, loaded now if need be."""
    loaded = watch_own_models(site.slug).ensure_loaded()
    return [_row(site, name, folder, loaded) for name, folder in sorted(installed_models(site.slug).items())]


def _row(site: Site, name: str, folder: Path, loaded: OwnModels) -> dict[str, Any]:
    known = loaded.by_name.get(name)
    state = "refused" if known is None else "answers" if known.folder == folder else "before"
    try:
        how = options_of(folder)
        seen = folder.stat().st_mtime
        size = (folder / MODEL).stat().st_size
    except (msgspec.DecodeError, OSError):  # removed or damaged meanwhile; the state says that it does not answer
        how, seen, size = OwnModelOptions(), None, 0
    return {
        "name": name,
        "label": how.label or name.replace("_", " "),
        "budget_ms": how.budget_ms,
        "weight": how.weight,
        "version": folder.name,
        "installed_at": None if seen is None else datetime.fromtimestamp(seen, UTC),
        "size": size,
        "state": state,
        "words": _(STATES[state]),
        "used_by": placements_with(site.pk, name),
    }
