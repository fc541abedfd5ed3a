"""The life of a version: who answers after each step, and which steps are refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from recommendations.exceptions import RefusalReason, VersionRefused
from recommendations.graphs.export import export_model_set
from recommendations.graphs.fold_in import Target
from recommendations.models import ModelVersion
from recommendations.versions import lifecycle
from recommendations.versions.folder import check_integrity
from tests.recommendations import model_worlds
from tracking.models import Site

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("versions") / "v1"
    fitted = model_worlds.fitted_model_set(n_items=30, with_ranker=False)
    export_model_set(fitted, folder, targets=frozenset({Target.CPU}))
    return folder


@pytest.fixture
def versions(written: Path, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[ModelVersion]:
    """Return three candidates of one site with their folders; their golden answers are checked in the gate's tests."""
    settings.MODEL_DIR = tmp_path
    monkeypatch.setattr(
        lifecycle, "load_version", lambda *args, **kwargs: real_load(*args, **kwargs, check_answers=False)
    )
    site = Site.objects.create(slug="living", name="Living")
    rows = []
    for name in ("a", "b", "c"):
        folder = lifecycle.version_path(site.slug, name)
        shutil.copytree(written, folder)
        rows.append(ModelVersion.objects.create(site=site, version=name, manifest={"sha256": check_integrity(folder)}))
    return rows


real_load = lifecycle.load_version


def states() -> dict[str, str]:
    return dict(ModelVersion.objects.order_by("version").values_list("version", "status"))


def test_the_promoted_version_answers_and_the_one_before_is_kept(versions: list[ModelVersion]) -> None:
    first, second, _ = versions
    lifecycle.promote(first)
    lifecycle.promote(second)

    assert states() == {"a": "retired", "b": "live", "c": "candidate"}
    assert second.live_at is not None


def test_a_roll_back_returns_to_the_version_that_was_live_last(versions: list[ModelVersion]) -> None:
    for version in versions:
        lifecycle.promote(version)

    assert lifecycle.roll_back(versions[0].site_id) == versions[1]
    assert states() == {"a": "retired", "b": "live", "c": "retired"}


def test_without_an_earlier_version_there_is_nothing_to_roll_back_to(versions: list[ModelVersion]) -> None:
    lifecycle.promote(versions[0])

    with pytest.raises(VersionRefused, match="no earlier version was live") as caught:
        lifecycle.roll_back(versions[0].site_id)
    assert caught.value.reason is RefusalReason.MISSING


def test_a_new_canary_and_a_new_shadow_replace_the_old_ones(versions: list[ModelVersion]) -> None:
    first, second, third = versions
    lifecycle.start_canary(first, percent=10)
    lifecycle.start_shadow(second)
    lifecycle.start_canary(third, percent=25)

    first.refresh_from_db()
    assert states() == {"a": "candidate", "b": "shadow", "c": "canary"}
    assert [first.canary_percent, third.canary_percent] == [0, 25]
    lifecycle.start_shadow(third)
    assert states() == {"a": "candidate", "b": "candidate", "c": "shadow"}
    assert third.canary_percent == 0


def test_a_stopped_canary_is_a_candidate_and_nothing_else_can_be_stopped(versions: list[ModelVersion]) -> None:
    lifecycle.start_canary(versions[0], percent=10)
    lifecycle.stop(versions[0])

    assert [versions[0].status, versions[0].canary_percent] == ["candidate", 0]
    with pytest.raises(VersionRefused, match="neither a shadow nor a canary"):
        lifecycle.stop(versions[0])


def test_the_live_version_is_no_canary_and_no_shadow_of_itself(versions: list[ModelVersion]) -> None:
    lifecycle.promote(versions[0])

    with pytest.raises(VersionRefused, match="answers everybody"):
        lifecycle.start_canary(versions[0], percent=10)
    with pytest.raises(VersionRefused, match="answers everybody"):
        lifecycle.start_shadow(versions[0])
    assert states()["a"] == "live"


def test_what_the_gate_refused_or_never_saw_is_not_promoted(versions: list[ModelVersion]) -> None:
    lifecycle.promote(versions[0])
    versions[1].status = ModelVersion.Status.REFUSED
    versions[1].save()
    versions[2].manifest = {}
    versions[2].save()

    with pytest.raises(VersionRefused, match="the gate refused b"):
        lifecycle.promote(versions[1])
    with pytest.raises(VersionRefused, match="c was registered without the sha256 of its manifest"):
        lifecycle.promote(versions[2])
    assert states() == {"a": "live", "b": "refused", "c": "candidate"}
