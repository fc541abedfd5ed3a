"""The deployment files, checked as far as it goes without a Docker engine."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from recsite.supervisor.installation import Installation
from tests.deploy.conftest import ROOT
from tests.services.fixtures import leave_out
from tests.services.process import Missing

DEPLOY = ROOT / "deploy"
METRIC = re.compile(r"\brecsite_[a-z0-9_]+")
DECLARED = re.compile(r'(?:Counter|Gauge|Histogram)\(\s*"(recsite_\w+)"')


def declared_metrics() -> set[str]:
    found: set[str] = set()
    for app in ("tracking", "features", "recommendations"):
        found.update(DECLARED.findall((ROOT / app / "metrics.py").read_text()))
    return found


def promtool(request: pytest.FixtureRequest, *arguments: str) -> None:
    tool = shutil.which("promtool")
    if tool is None:
        leave_out(request.config, Missing("promtool", "install Debian's prometheus"))
    done = subprocess.run(
        [str(tool), *arguments], cwd=DEPLOY / "prometheus", capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_alert_rules_are_valid(request: pytest.FixtureRequest) -> None:
    promtool(request, "check", "rules", "alerts.yml")


@pytest.mark.slow
def test_alerts_fire_when_they_should_and_only_then(request: pytest.FixtureRequest) -> None:
    promtool(request, "test", "rules", "alerts_test.yml")


@pytest.mark.parametrize("path", ["prometheus/alerts.yml", "grafana/dashboards/recsite.json"])
def test_every_metric_that_is_watched_exists(path: str) -> None:
    watched = {re.sub(r"_(bucket|count|sum)$", "", name) for name in METRIC.findall((DEPLOY / path).read_text())}
    assert watched
    assert watched <= declared_metrics()


def test_every_alert_leads_to_a_chapter_of_the_operations_page() -> None:
    chapters = {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^## (.+)$", (ROOT / "docs/operations.md").read_text(), re.MULTILINE)
    }
    rules = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())
    runbooks = [
        rule["annotations"]["runbook"] for group in rules["groups"] for rule in group["rules"] if "alert" in rule
    ]
    assert runbooks
    for runbook in runbooks:
        page, _, chapter = runbook.partition("#")
        assert page == "docs/operations.md"
        assert chapter in chapters, f"docs/operations.md has no chapter {chapter!r}"


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads((DEPLOY / "grafana/dashboards/recsite.json").read_text())["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells
        taken |= cells


def compose(name: str = "compose.yaml") -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / name).read_text())
    return loaded


def test_compose_has_every_part_of_an_installation() -> None:
    assert set(compose()["services"]) >= {
        *("nginx", "web", "stream", "tasks", "beat", "migrate"),
        *("kafka", "redis", "postgres", "prometheus", "grafana"),
    }


def test_files_that_compose_mounts_exist() -> None:
    for name, service in compose()["services"].items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (DEPLOY / source).exists(), f"{name} mounts {source}"


def test_compose_publishes_on_loopback_only_and_has_no_default_secret() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    for service in compose()["services"].values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")
    needed = set(re.findall(r"\$\{(\w+)", text))
    example = dict(
        line.split("=", 1)
        for line in (DEPLOY / "example.env").read_text().splitlines()
        if "=" in line and line[0] != "#"
    )
    assert needed <= set(example)
    assert all(value == "" for name, value in example.items() if re.search("SECRET|PASSWORD|TOKEN", name))


def test_compose_with_client_certificates_gives_nginx_all_that_its_listener_reads() -> None:
    extra = compose("compose.mtls.yaml")
    nginx = extra["services"]["nginx"]
    mounted = dict(volume.split(":")[:2] for volume in nginx["volumes"])
    given = {config["target"]: extra["configs"][config["source"]]["content"] for config in nginx["configs"]}

    assert set(extra["services"]) <= set(compose()["services"])
    assert mounted["./nginx/mtls.conf"].startswith("/etc/nginx/conf.d/")
    text = (DEPLOY / mounted_from(mounted, "mtls.conf")).read_text()
    for path in re.findall(r"(/etc/nginx/[\w./]+);", text):
        assert path in given or path.rpartition("/")[0] in mounted.values(), f"nobody mounts {path}"
    # The line that nginx sends and the setting that Recsite reads hold the same secret, without a default.
    assert given["/etc/nginx/proxy_secret.conf"].strip() == (
        'proxy_set_header X-Recsite-Proxy-Secret "${RECSITE_PROXY_SECRET}";'
    )
    assert extra["services"]["web"]["environment"]["RECSITE_PROXY_SECRET"].startswith("${RECSITE_PROXY_SECRET:?")
    assert "\nRECSITE_PROXY_SECRET=\n" in (DEPLOY / "example.env").read_text()
    assert nginx["ports"] == ["127.0.0.1:8443:8443"]
    assert "listen 8443 ssl;" in text
    assert "deploy/tls/" in (ROOT / ".gitignore").read_text().splitlines()


def mounted_from(mounted: dict[str, str], name: str) -> str:
    return next(source for source in mounted if source.endswith(name))


def test_web_takes_the_address_that_its_nginx_saw() -> None:
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in (DEPLOY / "nginx/recsite.conf").read_text()
    assert compose()["services"]["web"]["environment"]["RECSITE_TRUSTED_PROXIES"] == "1"


def test_the_image_serves_with_the_limits_of_an_installation(tmp_path: Path) -> None:
    place = Installation(project=ROOT, data=tmp_path, host="127.0.0.1", port=1, web_workers=1, demo=False)
    web = next(process for process in place.processes({}) if process.name == "web")
    served = json.loads((DEPLOY / "Dockerfile").read_text().rpartition("CMD ")[2].replace("\\\n", ""))

    def limits(command: list[str]) -> dict[str, str]:
        own = {"--host", "--port", "--workers"}
        return {
            name: value
            for name, value in itertools.pairwise([*command, ""])
            if name.startswith("--") and name not in own
        }

    assert limits(served) == limits(list(web.command))


def test_image_holds_every_package_and_no_root() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    for package in ("recsite", "tracking", "features", "recommendations", "templates"):
        assert f"COPY {package} /app/{package}" in text
    assert re.search(r"^USER recsite$", text, re.MULTILINE)
