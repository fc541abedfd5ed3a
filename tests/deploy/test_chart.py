"""The Helm chart: rendered by Helm, every object held against the schemas of Kubernetes, and what it promises."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.deploy.conftest import ROOT, compose
from tests.services.fixtures import leave_out
from tests.services.process import Missing
from tests.services.waiting import COMMAND_S

CHART = ROOT / "deploy/helm"
NEEDED = {"domain": "shop.example", "existingSecret": "recsite"}
EVERYTHING = {
    **NEEDED, "web.autoscaling.enabled": "true", "stream.autoscaling.enabled": "true", "podMonitor.enabled": "true",
    "settings.RECSITE_LOG_FORMAT": "json", "image.repository": "registry.example/recsite@sha256:" + "0" * 64,
}  # fmt: skip
KUBERNETES = ("1.27", "1.37")

Rendered = Callable[..., list[dict[str, Any]]]
pytestmark = pytest.mark.slow


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["helm", *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=COMMAND_S
    )  # fmt: skip


@pytest.fixture
def rendered(request: pytest.FixtureRequest) -> Rendered:
    """Return a function that renders the chart with values and returns its objects."""
    if shutil.which("helm") is None:
        leave_out(request.config, Missing("helm", "install Helm 3, or Go, with which tests/run.sh makes it"))

    def render(values: dict[str, str], version: str = KUBERNETES[-1]) -> list[dict[str, Any]]:
        chosen = [f"--set={name}={value}" for name, value in values.items()]
        done = helm("template", "demo", str(CHART), "--kube-version", f"{version}.0", *chosen)
        assert done.returncode == 0, done.stderr
        return [each for each in yaml.safe_load_all(done.stdout) if each]

    return render


def named(objects: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    (found,) = [each for each in objects if each["kind"] == kind and each["metadata"]["name"] == name]
    return found


def pods(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the pod of each role."""
    return {
        each["metadata"]["name"].removeprefix("demo-"): each["spec"]["template"]["spec"]
        for each in objects
        if each["kind"] in ("StatefulSet", "Deployment", "Job")
    }


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("values", [NEEDED, EVERYTHING], ids=["least", "everything"])
def test_every_object_is_what_kubernetes_takes(rendered: Rendered, version: str, values: dict[str, str]) -> None:
    objects = rendered(values, version)
    known = [each for each in objects if each["kind"] != "PodMonitor"]  # of the Prometheus operator
    assert len(known) >= 10
    for each in known:
        kubernetes_validate.validate(each, version, strict=True)


def test_helm_finds_nothing_wrong(rendered: Rendered) -> None:
    done = helm("lint", str(CHART), "--strict", *(f"--set={name}={value}" for name, value in NEEDED.items()))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("missing", sorted(NEEDED))
def test_what_is_not_given_is_named(rendered: Rendered, missing: str) -> None:
    given = [f"--set={name}={value}" for name, value in NEEDED.items() if name != missing]
    done = helm("template", "demo", str(CHART), "--kube-version", f"{KUBERNETES[-1]}.0", *given)
    assert done.returncode != 0
    assert f"set {missing}" in done.stderr


def test_processes_are_those_of_compose(rendered: Rendered) -> None:
    of_chart = {role: pod["containers"][0].get("command") for role, pod in pods(rendered(NEEDED)).items()}
    services = compose()["services"]
    for role in ("stream", "tasks", "beat", "migrate"):
        assert of_chart[role] == services[role]["command"], role
    dockerfile = (ROOT / "deploy/Dockerfile").read_text()
    said = re.search(r'CMD (\["python", "-m", "recsite.server.web".*?\])', dockerfile, re.DOTALL)
    assert said is not None
    web = json.loads(said[1].replace("\\\n", ""))
    options = [part for option in of_chart["web"] for part in (option.split("=", 1) if "--" in option else [option])]
    assert [part for part in options if part not in ("--workers", "1")] == web


def test_no_pod_is_root_writes_its_image_or_holds_a_secret_of_its_own(rendered: Rendered) -> None:
    for role, pod in pods(rendered(EVERYTHING)).items():
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"], role
        assert pod["automountServiceAccountToken"] is False
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }  # fmt: skip
        assert container["envFrom"] == [{"secretRef": {"name": "recsite"}}]
        secrets = {"RECSITE_SECRET_KEY", "DATABASE_URL", "REDIS_URL", "EVENT_LOG_URL", "RECSITE_METRICS_TOKEN"}
        assert not secrets & {each["name"] for each in container["env"]}
        assert {"name": "RECSITE_LOG_FORMAT", "value": "json"} in container["env"]


def test_what_was_accepted_waits_on_a_disk_of_the_pod(rendered: Rendered) -> None:
    web = named(rendered(NEEDED), "StatefulSet", "demo-web")
    (container,) = web["spec"]["template"]["spec"]["containers"]
    spool = next(each["value"] for each in container["env"] if each["name"] == "SPOOL_DIR")
    mounted = {each["mountPath"]: each["name"] for each in container["volumeMounts"]}
    assert mounted[spool] in {each["metadata"]["name"] for each in web["spec"]["volumeClaimTemplates"]}


def test_autoscaling_decides_the_number_where_it_is_on(rendered: Rendered) -> None:
    alone, scaled = rendered(NEEDED), rendered(EVERYTHING)
    for kind, name in (("StatefulSet", "demo-web"), ("Deployment", "demo-stream")):
        assert named(alone, kind, name)["spec"]["replicas"] == 2
        assert "replicas" not in named(scaled, kind, name)["spec"], "a release would undo it"
        target = named(scaled, "HorizontalPodAutoscaler", name)["spec"]["scaleTargetRef"]
        assert (target["kind"], target["name"]) == (kind, name)
