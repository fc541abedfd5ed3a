"""What the demo's merchandiser steered: made once, and as the linter would have it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from features.feeds import upsert_items
from recommendations.admin.gate import judge_site
from recommendations.models import Campaign, Rule, RuleVersion
from recommendations.state.placements import load_placements
from recsite.demo.catalogue import Product
from recsite.demo.merchandising import OVER, RUNNING, ensure_merchandising
from recsite.demo.setup import ensure_placements, ensure_site
from recsite.demo.source import item_row


@pytest.mark.django_db
def test_campaigns_and_rules_are_made_once_with_their_history() -> None:
    site, _ = ensure_site()
    ensure_placements(site)
    assert ensure_merchandising(site) == Rule.objects.count() > 5
    assert ensure_merchandising(site) == 0

    now = timezone.now()
    over = Campaign.objects.get(name=OVER, ends_at__lt=now)
    assert Campaign.objects.filter(name=RUNNING, starts_at__lt=now, ends_at__gt=now).exists()
    assert over.rules.exists()
    assert not over.rules.filter(published__isnull=False).exists()
    assert Rule.objects.filter(published__isnull=True).exists()  # a draft, too
    versions = list(RuleVersion.objects.order_by("rule_number", "number"))
    assert max(version.number for version in versions) == 2
    assert min(version.at for version in versions) < now - timedelta(days=40)
    assert all(version.at < now - timedelta(days=1) for version in versions)
    assert Rule.objects.filter(published__isnull=False).count() == Rule.objects.filter(published_at__lt=now).count() > 3
    assert all(spec.rules for name, spec in load_placements(site.slug).by_name.items() if name.startswith("home_for"))


@pytest.mark.django_db
def test_the_linter_has_nothing_against_them(products: list[Product]) -> None:
    site, _ = ensure_site()
    ensure_placements(site)
    upsert_items(site, map(item_row, products))
    ensure_merchandising(site)
    assert [finding.sentence for finding in judge_site(site)] == []
