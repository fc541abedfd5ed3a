"""Is the live version still right for what users do? Known shifts are found, and the absence of one as well."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Value
from django.db.models.functions import Concat
from prometheus_client import REGISTRY

from features.models import Item
from recommendations.models import DriftReference, HealthReport, ModelVersion, TrainingPolicy
from recommendations.monitoring import drift, model_health
from recommendations.monitoring.drift import Check, Verdict
from recommendations.release import train
from recommendations.training.settings import TrainingSettings
from tests.recommendations.archives import DAY_MS, aisle_items, aisle_walks, write_sessions
from tests.recommendations.conftest import Shop

QUICK = TrainingSettings(factors=8, als_iterations=3, max_queries=300, tuning_queries=60, trees=8, num_threads=1)
TRAINED_AT = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
TRAINED_MS = int(TRAINED_AT.timestamp() * 1000)


@pytest.fixture
def trained(shop: Shop, settings: Any, tmp_path: Any) -> tuple[Shop, ModelVersion]:
    """Return a shop whose version was trained on a week of its archive."""
    settings.ARCHIVE_URL = str(tmp_path / "archive")
    for item_id in aisle_items():
        shop.add(item_id, category=f"Aisle {item_id[1]} > {item_id}")
    walks = aisle_walks(1400, from_ms=TRAINED_MS - 7 * DAY_MS, until_ms=TRAINED_MS, seed=1)
    write_sessions(settings.ARCHIVE_URL, shop.site.slug, walks)
    version = train.train_site(shop.site, settings=QUICK)
    ModelVersion.objects.filter(pk=version.pk).update(created_at=TRAINED_AT)
    return shop, version


def next_day(shop: Shop, archive: str, *, rename: str = "", **options: Any) -> dict[str, Check]:
    """Write another day of shoppers, check the site at its end, and return the checks by name."""
    price = options.pop("price", 20.0)
    walks = aisle_walks(400, from_ms=TRAINED_MS, until_ms=TRAINED_MS + DAY_MS, seed=2, **options)
    write_sessions(
        archive, shop.site.slug, [(at, [rename + item for item in items]) for at, items in walks], price=price
    )
    report = model_health.check_site(shop.site, now=TRAINED_AT + timedelta(days=1))
    return {check.name: check for check in model_health.checks_of(report)}


def gauge(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


@pytest.mark.redis
@pytest.mark.slow
class TestHealth:
    def test_the_same_shoppers_are_no_drift(self, trained: tuple[Shop, ModelVersion], settings: Any) -> None:
        checks = next_day(trained[0], settings.ARCHIVE_URL)

        assert {name: check.verdict for name, check in checks.items()} == dict.fromkeys(
            ("age_hours", "coverage", "unknown_items", "missing_columns", *drift.FEATURES, drift.SCORES), Verdict.FINE
        )
        assert checks["age_hours"].value == 24

    def test_prices_in_another_unit_and_longer_sessions_are_found_and_nothing_else(
        self, trained: tuple[Shop, ModelVersion], settings: Any
    ) -> None:
        checks = next_day(trained[0], settings.ARCHIVE_URL, price=2000.0, longest=20)

        acting = {name for name, check in checks.items() if check.verdict is Verdict.ACT}
        assert acting >= {"price", "session_length"}
        assert not acting & {"unknown_items", "category", "coverage", "age_hours"}

    def test_variants_of_what_it_knows_are_known(self, trained: tuple[Shop, ModelVersion], settings: Any) -> None:
        shop, _ = trained
        for item in list(shop.items.values()):
            shop.add(f"new-{item.item_id}", category=item.category, group_id=f"g-{item.item_id}")
        Item.objects.filter(item_id__in=shop.items, group_id="").update(group_id=Concat(Value("g-"), "item_id"))

        checks = next_day(shop, settings.ARCHIVE_URL, rename="new-")

        assert [checks[name].verdict for name in ("coverage", "unknown_items")] == [Verdict.FINE] * 2

    def test_items_under_other_ids_are_unknown(self, trained: tuple[Shop, ModelVersion], settings: Any) -> None:
        shop, _ = trained

        checks = next_day(shop, settings.ARCHIVE_URL, rename="sku-")

        assert checks["unknown_items"].value == 1.0
        assert [checks[name].verdict for name in ("unknown_items", "category")] == [Verdict.ACT] * 2
        assert [checks["scores"].verdict, checks["scores"].advice[:10]] == [Verdict.UNKNOWN, "0 sessions"]
        assert gauge("recsite_unknown_items_ratio", site=shop.site.slug) == 1.0
        assert (gauge("recsite_data_drift_psi", site=shop.site.slug, feature="category") or 0) > drift.ACT_PSI

    def test_items_that_came_after_the_training_are_not_covered(
        self, trained: tuple[Shop, ModelVersion], settings: Any
    ) -> None:
        shop, _ = trained
        for number in range(20):
            shop.add(f"new-{number}")
        shop.add("sold-out", availability="out_of_stock")

        checks = next_day(shop, settings.ARCHIVE_URL)

        assert checks["coverage"].value == pytest.approx(30 / 50)
        assert gauge("recsite_model_coverage_ratio", site=shop.site.slug) == pytest.approx(30 / 50)

    def test_a_version_beyond_the_policys_age_is_to_be_replaced(
        self, trained: tuple[Shop, ModelVersion], settings: Any
    ) -> None:
        shop, _ = trained
        TrainingPolicy.objects.filter(site=shop.site).update(max_age_hours=20)

        assert next_day(shop, settings.ARCHIVE_URL)["age_hours"].verdict is Verdict.ACT
        assert gauge("recsite_model_created_timestamp_seconds", site=shop.site.slug) == TRAINED_AT.timestamp()
        assert gauge("recsite_model_max_age_seconds", site=shop.site.slug) == 20 * 3600

    def test_the_reference_is_read_once_and_outlives_the_archive(
        self, trained: tuple[Shop, ModelVersion], settings: Any
    ) -> None:
        shop, version = trained
        next_day(shop, settings.ARCHIVE_URL)
        first = DriftReference.objects.get(model_version=version).made_at

        settings.ARCHIVE_URL = settings.ARCHIVE_URL + "-moved"
        checks = next_day(shop, settings.ARCHIVE_URL)

        assert DriftReference.objects.get(model_version=version).made_at == first
        assert checks["kind"].verdict is Verdict.FINE

    def test_a_quiet_day_says_nothing(self, trained: tuple[Shop, ModelVersion]) -> None:
        shop, _ = trained

        report = model_health.check_site(shop.site, now=TRAINED_AT + timedelta(days=30))

        checks = {check.name: check for check in model_health.checks_of(report)}
        assert checks["price"].verdict is checks["unknown_items"].verdict is Verdict.UNKNOWN
        assert math.isnan(gauge("recsite_unknown_items_ratio", site=shop.site.slug) or 0)

    def test_the_command_names_what_to_act_on_and_the_admin_shows_it(
        self, trained: tuple[Shop, ModelVersion], capsys: pytest.CaptureFixture[str], admin_client: Any
    ) -> None:
        shop, version = trained

        with pytest.raises(CommandError, match="act on: age_hours"):
            call_command("drift", site=shop.site.slug)

        said = capsys.readouterr().out
        assert "unknown_items" in said
        assert HealthReport.objects.get().model_version == version
        page = admin_client.get(f"/admin/recommendations/modelversion/{version.pk}/change/").content.decode()
        assert "age, hours" in page


@pytest.mark.redis
def test_a_site_without_a_version_has_nothing_to_alert_about(shop: Shop) -> None:
    report = model_health.check_site(shop.site)

    assert [report.checks, report.model_version] == [[], None]
    assert math.isnan(gauge("recsite_model_created_timestamp_seconds", site=shop.site.slug) or 0)
    with pytest.raises(CommandError, match="has no live version"):
        call_command("drift", site=shop.site.slug)


@pytest.mark.redis
def test_an_unknown_site_is_named(shop: Shop) -> None:
    with pytest.raises(CommandError, match=r"--site='nowhere' is unknown; there are: "):
        call_command("drift", site="nowhere")
