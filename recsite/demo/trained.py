"""Whether the model version that was trained by an earlier start can still answer under this release."""

from __future__ import annotations

from typing import cast

from django.conf import settings

from recommendations.exceptions import VersionRefused
from recommendations.inference.device import Providers
from recommendations.models import ModelVersion
from recommendations.ranking.columns import COLUMNS
from recommendations.versions.folder import load_version
from recommendations.versions.lifecycle import registered_sha256, version_path
from tracking.models import Site


def give_up_refused(site: Site) -> str | None:
    """Mark the live version as refused when it cannot answer, so that nothing is compared with it.

    Returns
    -------
    str or None
        Why it was refused; ``None`` when it answers, or when there is none yet.

    Raises
    ------
    ModelUnavailable
        The runtime cannot run any version here; another training would not help.
    """
    live = ModelVersion.objects.filter(site=site, status=ModelVersion.Status.LIVE).first()
    if live is None:
        return None
    try:
        load_version(
            version_path(site.slug, live.version),
            providers=cast(Providers, settings.INFERENCE_PROVIDER),
            expected_manifest_sha256=registered_sha256(live),
            ranker_columns=COLUMNS,
            check_answers=False,  # the gate checked the golden queries before the version was promoted
        )
    except VersionRefused as error:
        live.status = ModelVersion.Status.REFUSED
        live.save(update_fields=["status"])
        return str(error)
    return None
