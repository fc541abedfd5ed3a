"""What the database promises of versions: one live one a site, names used once."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from recommendations.models import ModelVersion
from tracking.models import Site

pytestmark = pytest.mark.django_db


@pytest.fixture
def site() -> Site:
    return Site.objects.create(slug="versioned", name="Versioned")


def test_a_site_has_one_live_version_and_any_number_of_others(site: Site) -> None:
    ModelVersion.objects.create(site=site, version="a", status="live")
    for number, status in enumerate(["retired", "retired", "candidate", "canary", "shadow", "refused"]):
        ModelVersion.objects.create(site=site, version=f"b{number}", status=status)

    with pytest.raises(IntegrityError), transaction.atomic():
        ModelVersion.objects.create(site=site, version="c", status="live")
    other = Site.objects.create(slug="other-versioned", name="Other")
    ModelVersion.objects.create(site=other, version="a", status="live")


def test_a_version_name_is_used_once_a_site(site: Site) -> None:
    ModelVersion.objects.create(site=site, version="a")

    with pytest.raises(IntegrityError), transaction.atomic():
        ModelVersion.objects.create(site=site, version="a")
