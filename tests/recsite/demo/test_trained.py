"""A trained version of another release is given up and trained again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from recommendations.exceptions import RefusalReason, VersionRefused
from recommendations.graphs.export import export_model_set
from recommendations.models import ModelVersion
from recommendations.versions.folder import check_integrity
from recommendations.versions.lifecycle import version_path
from recsite.demo.setup import ensure_site
from recsite.demo.trained import give_up_refused
from tests.recommendations import model_worlds


def live_version(settings: Any, data: Path, *, with_ranker: bool) -> ModelVersion:
    """Register a version as live; the ranker of the little world has other columns than this release."""
    settings.MODEL_DIR, settings.INFERENCE_PROVIDER = data / "models", "cpu"
    site, _ = ensure_site()
    path = version_path(site.slug, "v1")
    path.parent.mkdir(parents=True)
    export_model_set(model_worlds.fitted_model_set(with_ranker=with_ranker), path)
    return ModelVersion.objects.create(
        site=site, version="v1", status=ModelVersion.Status.LIVE, manifest={"sha256": check_integrity(path)}
    )


def test_a_version_that_answers_stays_live(db: None, settings: Any, tmp_path: Path) -> None:
    version = live_version(settings, tmp_path, with_ranker=False)
    assert give_up_refused(version.site) is None
    version.refresh_from_db()
    assert version.status == ModelVersion.Status.LIVE


def test_before_the_first_training_nothing_is_refused(db: None) -> None:
    site, _ = ensure_site()
    assert give_up_refused(site) is None


def test_a_version_with_other_columns_is_trained_again_and_that_is_said(
    db: None, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    version = live_version(settings, tmp_path, with_ranker=True)
    settings.DEMO, settings.DATA_DIR = True, tmp_path
    (tmp_path / "demo_ready").touch()
    # What the shop's history is made of is another test's subject; here it is there already.
    monkeypatch.setattr("recsite.management.commands.demo_data.Command._simulate", lambda *_: None)

    call_command("demo_data")

    said = " ".join(capsys.readouterr().out.split())
    assert "this release refuses the trained model, so it is trained again" in said
    assert "6 of them are not made any more" in said
    assert not (tmp_path / "demo_ready").exists()
    version.refresh_from_db()
    assert version.status == ModelVersion.Status.REFUSED


def test_a_version_whose_folder_is_gone_is_refused(db: None, settings: Any, tmp_path: Path) -> None:
    version = live_version(settings, tmp_path, with_ranker=False)
    settings.MODEL_DIR = tmp_path / "elsewhere"
    with pytest.raises(VersionRefused) as caught:
        check_integrity(version_path(version.site.slug, "v1"))
    assert caught.value.reason is RefusalReason.MISSING
    assert give_up_refused(version.site)
