"""Versions are promoted and rolled back with buttons, and a refused one says why."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from recommendations.graphs.export import export_model_set
from recommendations.graphs.fold_in import Target
from recommendations.models import ModelVersion
from recommendations.versions.folder import check_integrity
from recommendations.versions.lifecycle import version_path
from tests.recommendations.conftest import Shop
from tests.recommendations.model_worlds import fitted_model_set
from tracking.snapshots import by_site

pytestmark = pytest.mark.redis


def test_a_version_is_promoted_and_rolled_back_with_buttons(shop: Shop, admin: Client) -> None:
    versions = []
    for seed in (1, 2):
        name = f"version-{seed}"
        export_model_set(
            fitted_model_set(n_items=40, seed=seed, with_ranker=False),
            version_path(shop.site.slug, name),
            targets=frozenset({Target.CPU}),
        )
        sha256 = check_integrity(version_path(shop.site.slug, name))
        versions.append(ModelVersion.objects.create(site=shop.site, version=name, manifest={"sha256": sha256}))
    first, second = (reverse("admin:recommendations_modelversion_change", args=[version.pk]) for version in versions)

    admin.post(first, {"recommendations_modelversion_promote_version": "1"})
    admin.post(second, {"recommendations_modelversion_promote_version": "1"})
    promoted = list(ModelVersion.objects.order_by("version").values_list("status", flat=True))
    admin.post(second, {"recommendations_modelversion_roll_back_site": "1"})
    back = list(ModelVersion.objects.order_by("version").values_list("status", flat=True))

    assert [promoted, back] == [["retired", "live"], ["live", "retired"]]


def test_a_damaged_version_is_refused_and_the_live_one_stays(shop: Shop, admin: Client) -> None:
    export_model_set(
        fitted_model_set(n_items=40, with_ranker=False),
        version_path(shop.site.slug, "damaged"),
        targets=frozenset({Target.CPU}),
    )
    sha256 = check_integrity(version_path(shop.site.slug, "damaged"))
    (version_path(shop.site.slug, "damaged") / "item_ids.json").write_text("[]")
    version = ModelVersion.objects.create(site=shop.site, version="damaged", manifest={"sha256": sha256})

    answer = admin.post(
        reverse("admin:recommendations_modelversion_change", args=[version.pk]),
        {"recommendations_modelversion_promote_version": "1"},
        follow=True,
    )

    version.refresh_from_db()
    assert version.status == "candidate"
    assert any("item_ids.json" in str(message) for message in answer.context["messages"])


@pytest.mark.expects_errors(r"live_models\.refused")
def test_the_first_page_says_that_the_live_version_is_refused_and_why(shop: Shop, admin: Client) -> None:
    ModelVersion.objects.create(site=shop.site, version="gone", status=ModelVersion.Status.LIVE)
    by_site.close_all()

    page = admin.get(reverse("admin:index"), {"site": shop.site.slug}).content.decode()

    assert "refused" in page
    assert "lists are popular and similar items:" in page


def test_the_page_shows_what_was_measured_the_gate_and_the_plots_of_the_folder(shop: Shop, admin: Client) -> None:
    version = ModelVersion.objects.create(
        site=shop.site,
        version="v1",
        status=ModelVersion.Status.REFUSED,
        metrics={"fusion": {"hr@20": 0.5, "mrr@20": 0.25, "points": 1234.0}, "popularity": {"hr@20": 0.125}},
        manifest={
            "n_items": 40_000,
            "secret": "not shown",
            "sources": {"als": {"kind": "fold_in", "last_n": 50}},
        },
        gate_report=[{"name": "quality", "passed": False, "reason": "MRR@20 is below <b>popularity</b>", "at_ms": 1}],
    )
    plots = version_path(shop.site.slug, "v1") / "plots"
    plots.mkdir(parents=True)
    (plots / "next_item_rank.png").write_bytes(b"png")

    page = admin.get(reverse("admin:recommendations_modelversion_change", args=[version.pk])).content.decode()
    listed = admin.get(reverse("admin:recommendations_modelversion_changelist")).content.decode()

    for said in ("0.500", "0.125", "1,234", "below &lt;b&gt;popularity", "cG5n", "Next item rank", "40,000", "fold_in"):
        assert said in page, said
    assert "not shown" not in page
    assert "&#x27;kind&#x27;" not in page, "no dictionary as Python writes it"
    assert '<th scope="row">als</th><td class="is-word">kind: fold_in · last_n: 50</td>' in page
    assert "0.500 · 0.250" in listed


def test_the_page_says_what_placements_may_weigh_and_how_right_chances_are(shop: Shop, admin: Client) -> None:
    learnt = {"scores": [0.0], "chances": [0.1], "positives": 4321, "rate": 0.0123, "error": 0.000456}
    rare = {"scores": [], "chances": [], "positives": 17, "rate": None, "error": None}
    ranker = {"objectives": {"purchase": rare, "click": learnt}}
    version = ModelVersion.objects.create(site=shop.site, version="v1", status="retired", manifest={"ranker": ranker})
    older = ModelVersion.objects.create(site=shop.site, version="v0", status="retired", manifest={"ranker": {}})

    def page(of: ModelVersion) -> str:
        return admin.get(reverse("admin:recommendations_modelversion_change", args=[of.pk])).content.decode()

    shown = page(version)
    for said in ("4,321", "0.0123", "0.000456", "too few: 200 are needed"):
        assert said in shown, said
    assert shown.index("4,321") < shown.index("too few"), "clicks stand before purchases"
    assert "It has learnt none" in page(older)


@pytest.mark.parametrize(
    ("status", "allowed"), [("live", False), ("canary", False), ("shadow", False), ("retired", True)]
)
def test_a_version_that_answers_cannot_be_deleted(shop: Shop, admin: Client, status: str, allowed: bool) -> None:
    version = ModelVersion.objects.create(site=shop.site, version="v1", status=status)

    answer = admin.post(reverse("admin:recommendations_modelversion_delete", args=[version.pk]), {"post": "yes"})

    assert (answer.status_code == 302) is allowed
    assert ModelVersion.objects.exists() is not allowed
