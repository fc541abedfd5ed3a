"""Which version answers whom, and that one which cannot be loaded never takes the place of one that answers."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from recommendations.graphs.export import export_model_set
from recommendations.graphs.fold_in import Target
from recommendations.inference.device import Shortfall
from recommendations.models import ModelVersion
from recommendations.state.models import TRY_AGAIN_S, LiveModels, ModelLoader, ServedModel, describe
from recommendations.versions.folder import check_integrity
from recommendations.versions.lifecycle import version_path
from tests.recommendations import model_worlds
from tracking.models import Site

USERS = [f"u:{number}" for number in range(2_000)]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("versions") / "v1"
    fitted = model_worlds.fitted_model_set(n_items=30, with_ranker=False)
    export_model_set(fitted, folder, targets=frozenset({Target.CPU}))
    return folder


@pytest.fixture
def site(db: None, settings: Any, tmp_path: Path) -> Site:
    settings.MODEL_DIR = tmp_path
    return Site.objects.create(slug="served", name="Served")


def registered(site: Site, written: Path, name: str, **values: Any) -> ModelVersion:
    shutil.copytree(written, version_path(site.slug, name))
    sha256 = check_integrity(version_path(site.slug, name))
    return ModelVersion.objects.create(site=site, version=name, manifest={"sha256": sha256}, **values)


def damaged(folder: Path) -> tuple[Path, bytes]:
    """Change one byte in the largest file; return the file and what it held."""
    graph = max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    whole = graph.read_bytes()
    content = bytearray(whole)
    content[len(content) // 2] ^= 255
    graph.write_bytes(content)
    return graph, whole


def served_by_canary(percent: int) -> set[str]:
    live, canary = (ServedModel(version=name, model_set=None) for name in ("old", "new"))  # type: ignore[arg-type]
    models = LiveModels(live=live, canary=canary, canary_percent=percent)
    assert models.for_user(None) == (live, "live")
    return {user for user in USERS if models.for_user(user) == (canary, "canary")}


def test_a_canary_answers_its_share_of_users_and_keeps_them_as_it_grows() -> None:
    tenth, fifth = served_by_canary(10), served_by_canary(20)

    assert len(tenth) / len(USERS) == pytest.approx(0.1, abs=0.03)
    assert tenth < fifth
    assert [served_by_canary(0), served_by_canary(100)] == [set(), set(USERS)]


def test_versions_are_loaded_once_and_the_same_object_says_that_nothing_changed(site: Site, written: Path) -> None:
    registered(site, written, "a", status="live")
    registered(site, written, "b", status="canary", canary_percent=10)
    loader = ModelLoader(site.slug)

    first = loader.load()

    assert loader.load() is first
    described = describe(first)
    gpu = described.pop("gpu")
    assert described == {"live": "a", "provider": "cpu", "canary": "b", "shadow": None, "refused": {}}
    assert set(gpu) == {"reason", "detail", "remedy"}
    assert gpu["reason"] in set(Shortfall)
    ModelVersion.objects.filter(version="b").update(canary_percent=25)
    second = loader.load()
    assert second.canary_percent == 25
    assert second.live is first.live


def test_a_promoted_canary_is_not_read_again(site: Site, written: Path) -> None:
    registered(site, written, "a", status="canary", canary_percent=10)
    loader = ModelLoader(site.slug)
    canary = loader.load().canary
    shutil.rmtree(version_path(site.slug, "a"))
    ModelVersion.objects.update(status="live")

    assert loader.load().live is canary


@pytest.mark.expects_errors(r"live_models\.refused")
def test_a_version_that_cannot_be_loaded_leaves_the_old_one_answering(site: Site, written: Path) -> None:
    registered(site, written, "a", status="live")
    loader = ModelLoader(site.slug)
    loader.load()
    ModelVersion.objects.update(status="retired")
    ModelVersion.objects.create(site=site, version="gone", status="live", manifest={"sha256": "0" * 64})

    models = loader.load()

    assert models.live is not None
    assert models.live.version == "a"
    assert "gone" in models.refused["gone"]


@pytest.mark.expects_errors(r"live_models\.refused")
@pytest.mark.parametrize("damage", ["a file changed", "the folder lost"])
def test_a_folder_that_is_restored_answers_at_the_next_look(site: Site, written: Path, damage: str) -> None:
    registered(site, written, "a", status="live")
    folder = version_path(site.slug, "a")
    aside = folder.with_name("aside")
    shutil.copytree(folder, aside)
    if damage == "the folder lost":
        shutil.rmtree(folder)
    else:
        damaged(folder)
    loader = ModelLoader(site.slug, clock=lambda: 0.0)
    refused = loader.load()
    assert refused.live is None
    assert loader.load() is refused

    shutil.rmtree(folder, ignore_errors=True)
    aside.rename(folder)
    models = loader.load()

    assert models.live is not None
    assert (models.live.version, models.refused) == ("a", {})


@pytest.mark.expects_errors(r"live_models\.refused")
def test_a_folder_that_looks_the_same_is_read_again_within_a_minute(
    site: Site, written: Path, caplog: pytest.LogCaptureFixture
) -> None:
    registered(site, written, "a", status="live")
    graph, whole = damaged(version_path(site.slug, "a"))
    stat = graph.stat()
    now = [0.0]
    loader = ModelLoader(site.slug, clock=lambda: now[0])
    loader.load()
    now[0] = TRY_AGAIN_S
    assert loader.load().live is None
    graph.write_bytes(whole)
    os.utime(graph, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    now[0] = 2 * TRY_AGAIN_S - 1.0
    assert loader.load().live is None
    now[0] = 2 * TRY_AGAIN_S
    assert loader.load().live is not None
    assert sum("live_models.refused" in line for line in caplog.messages) == 1
