"""The deployment files, checked as far as it goes without a Docker engine."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from deploy import healthcheck
from recsite.supervisor.installation import Installation
from recsite.supervisor.ports import free_port
from tests.deploy.conftest import ROOT, compose, filled_in, serving
from tests.services.fixtures import leave_out
from tests.services.process import Missing

DEPLOY = ROOT / "deploy"
EXTRAS = ("encoders", "errors", "traces")
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


def test_compose_has_every_part_of_an_installation() -> None:
    assert set(compose()["services"]) >= {
        *("certificates", "nginx", "acme", "web-1", "web-2", "stream", "tasks", "beat", "migrate"),
        *("kafka", "redis", "postgres", "prometheus", "alertmanager", "grafana"),
    }


@pytest.mark.parametrize("name", sorted(compose()["services"]))
def test_every_process_is_watched(name: str) -> None:
    service = compose()["services"][name]
    if service.get("restart") == "no":  # it ends, and others wait for that
        assert service["healthcheck"] == {"disable": True}
        waits = [
            condition["condition"]
            for other in compose()["services"].values()
            if isinstance(needed := other.get("depends_on", {}), dict)
            for on, condition in needed.items()
            if on == name
        ]
        assert waits
        assert set(waits) == {"service_completed_successfully"}
    else:
        assert service["healthcheck"]["test"]


def test_health_checks_of_our_processes_are_roles_of_the_script() -> None:
    for name, service in compose()["services"].items():
        test = service["healthcheck"].get("test", [])
        if "deploy/healthcheck.py" in test:
            assert test[-1] in healthcheck.CHECKS, name
            assert (test[-1] == "worker") == (name in {"stream", "tasks"})


def test_a_health_check_tells_a_well_process_from_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSITE_METRICS_PORT", str(free_port()))
    assert healthcheck.main(["worker"]) == 1
    with serving() as process:
        monkeypatch.setenv("RECSITE_METRICS_PORT", str(process.port))
        assert healthcheck.main(["worker"]) == 0
        process.status = 503
        assert healthcheck.main(["worker"]) == 1
    assert healthcheck.main(["nobody"]) == 2


def test_passwords_and_tls_are_between_the_processes() -> None:
    services = compose()["services"]
    for name in ("web-1", "web-2", "stream", "tasks", "beat", "migrate"):
        environment = services[name]["environment"]
        assert environment["REDIS_URL"].startswith("rediss://:${REDIS_PASSWORD:?"), name
        assert environment["EVENT_LOG_URL"].startswith("kafka+ssl://recsite:${KAFKA_PASSWORD:?"), name
        assert "tls-ca:/run/tls:ro" in services[name]["volumes"], name
    # Nobody sees the key of another one.
    keys = {volume: [] for volume in ("tls-redis", "tls-kafka", "tls-web")}
    for name, service in services.items():
        for volume in service.get("volumes", []):
            source = filled_in(volume).split(":")[0]
            if source in keys:
                keys[source].append(name)
    assert keys == {
        "tls-redis": ["certificates", "redis"],
        "tls-kafka": ["certificates", "kafka"],
        "tls-web": ["certificates", "nginx", "acme"],
    }


def test_volumes_and_configs_that_services_name_are_declared() -> None:
    found = compose()
    for name, service in found["services"].items():
        for volume in service.get("volumes", []):
            source = filled_in(volume).split(":")[0]
            assert source.startswith(".") or source in found["volumes"], f"{name}: {source}"
        for config in service.get("configs", []):
            assert config["source"] in found["configs"], name


def test_alerts_reach_somebody() -> None:
    prometheus = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    (target,) = prometheus["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    host, port = target.split(":")
    service = compose()["services"][host]
    assert port in str(service["healthcheck"]["test"])
    config = yaml.safe_load((DEPLOY / "prometheus/alertmanager.yml").read_text())
    receivers = {receiver["name"]: receiver for receiver in config["receivers"]}
    assert config["route"]["receiver"] in receivers
    (webhook,) = receivers[config["route"]["receiver"]]["webhook_configs"]
    assert webhook["url_file"] in [mounted["target"] for mounted in service["configs"]]
    assert compose()["configs"]["alert_webhook"]["content"].startswith("${ALERT_WEBHOOK_URL:?")


def test_prometheus_configuration_is_valid(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("x")
    text = (DEPLOY / "prometheus/prometheus.yml").read_text().replace("/etc/prometheus/token", str(token))
    config = tmp_path / "prometheus.yml"
    config.write_text(text.replace("alerts.yml", str(DEPLOY / "prometheus/alerts.yml")))
    promtool(request, "check", "config", str(config))


def pin_images(folder: Path, answer: str) -> subprocess.CompletedProcess[str]:
    """Run ``pin_images.sh`` on a copy, with a registry that says ``answer``: there is no Docker engine here."""
    for name in ("pin_images.sh", "compose.yaml", "Dockerfile"):
        shutil.copy(DEPLOY / name, folder / name)
    docker = folder / "bin/docker"
    docker.parent.mkdir()
    docker.write_text(f'#!/bin/sh\n[ "$1 $2 $3 $5" = "buildx imagetools inspect --format" ] && echo "{answer}"\n')
    docker.chmod(0o755)
    path = f"{docker.parent}:{os.environ['PATH']}"
    return subprocess.run(
        [folder / "pin_images.sh"], env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=60
    )


def test_images_are_pinned_by_their_digests(tmp_path: Path) -> None:
    digest = "sha256:" + "a1" * 32
    done = pin_images(tmp_path, digest)
    assert done.returncode == 0, done.stderr
    pinned = yaml.safe_load((tmp_path / "compose.images.yaml").read_text())["services"]
    for name, service in compose()["services"].items():
        if service["image"] == "recsite:local":
            assert pinned[name] == {"build": {"args": {"PYTHON_IMAGE": f"python@{digest}"}}}, name
        else:
            assert pinned[name] == {"image": f"{service['image'].split(':')[0]}@{digest}"}, name
    assert set(pinned) == set(compose()["services"])


@pytest.mark.parametrize("answer", ["", "sha256:short", "ERROR: not found"])
def test_what_is_no_digest_pins_nothing(tmp_path: Path, answer: str) -> None:
    assert pin_images(tmp_path, answer).returncode != 0
    assert not (tmp_path / "compose.images.yaml").exists()


def test_the_image_installs_what_is_locked_with_its_hashes() -> None:
    is_locked("requirements.txt", "requirements.lock")


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_is_locked_with_its_hashes_in_the_versions_of_the_rest(extra: str) -> None:
    holds_all(f"requirements-{extra}.txt", f"requirements-{extra}.lock")
    whole, own = (
        dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE))
        for name in ("requirements.lock", f"requirements-{extra}.lock")
    )
    assert own
    assert {name: version for name, version in own.items() if whole.get(name, version) != version} == {}


def test_the_image_takes_extras_by_an_argument_and_has_none_without() -> None:
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    assert 'ARG EXTRAS=""\n' in text
    (copied,) = re.findall(r"^COPY (requirements-\S+\.lock requirements-.*) /build/$", text, re.MULTILINE)
    assert copied.split() == [f"requirements-{extra}.lock" for extra in EXTRAS]
    (loop,) = re.findall(r"^RUN (for extra in .*)$", text, re.MULTILINE)
    for chosen, wanted in (("", []), ("errors traces", ["errors", "traces"])):
        said = loop.replace("/opt/venv/bin/pip", "echo")
        done = subprocess.run(
            ["sh", "-c", said], env={**os.environ, "EXTRAS": chosen}, capture_output=True, text=True, check=True
        )
        assert re.findall(r"--require-hashes -r /build/requirements-(\w+)\.lock", done.stdout) == wanted
    for service in compose()["services"].values():
        if "build" in service:
            assert service["build"]["args"] == {"EXTRAS": "${RECSITE_EXTRAS:-}"}


def test_the_target_with_cuda_adds_what_is_locked_for_it_and_nothing_else() -> None:
    is_locked("requirements-gpu.txt", "requirements-gpu.lock")
    text = (DEPLOY / "Dockerfile").read_text()
    stages = dict(re.findall(r"^FROM (\S+) AS (\S+)$", text, re.MULTILINE))
    assert stages["recsite"] == "cuda"
    assert text.rstrip().endswith("FROM recsite"), "without a target the image has no CUDA"
    assert "USER root" not in text
    of_cuda = text.partition(" AS cuda\n")[2]
    assert "COPY --from=build-cuda /opt/cuda /opt/venv/lib/python3.11/site-packages" in of_cuda
    assert "NVIDIA_DRIVER_CAPABILITIES=compute,utility" in of_cuda
    web = compose("compose.gpu.yaml")["services"]
    assert set(web) == {name for name in compose()["services"] if name.startswith("web-")}
    assert all(each["build"]["target"] == "cuda" for each in web.values())


def is_locked(source: str, lock_name: str) -> None:
    """Check that a lock holds each package that a file of requirements names, all with hashes, and is installed."""
    assert re.search(rf"--require-hashes .*-r /build/{lock_name}", (DEPLOY / "Dockerfile").read_text())
    holds_all(source, lock_name)


def holds_all(source: str, lock_name: str) -> None:
    """Check that a lock holds each package that a file of requirements names, all with hashes."""
    lock = (ROOT / lock_name).read_text().replace("\\\n", " ")
    lines = [line for line in lock.splitlines() if line and line[0] not in "# "]
    locked = {re.split(r"[=;\s]", line, maxsplit=1)[0].lower(): line for line in lines}
    assert all("--hash=sha256:" in line for line in lines)
    wanted = [
        re.fullmatch(r"([\w.-]+)(?:\[[\w,]+\])?==(\S+)", line)
        for line in (ROOT / source).read_text().splitlines()
        if line and not line.startswith(("#", "-r "))
    ]
    for requirement in wanted:
        assert requirement is not None
        name, version = re.sub(r"[_.]", "-", requirement[1].lower()), requirement[2]
        assert f"{name}=={version} " in locked.get(name, ""), f"{name}: run deploy/lock.sh"


def test_files_that_compose_mounts_exist() -> None:
    for name, service in compose()["services"].items():
        for volume in service.get("volumes", []):
            source = filled_in(volume).split(":")[0]
            if source.startswith("."):
                assert (DEPLOY / source).exists(), f"{name} mounts {source}"


def test_compose_publishes_on_loopback_only_and_has_no_default_secret() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    for service in compose()["services"].values():
        for port in service.get("ports", []):
            assert filled_in(port).startswith("127.0.0.1:")
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
    for web in ("web-1", "web-2"):
        secret = extra["services"][web]["environment"]["RECSITE_PROXY_SECRET"]
        assert secret.startswith("${RECSITE_PROXY_SECRET:?")
    assert "\nRECSITE_PROXY_SECRET=\n" in (DEPLOY / "example.env").read_text()
    assert nginx["ports"] == ["127.0.0.1:8443:8443"]
    assert "listen 8443 ssl;" in text
    assert "deploy/tls/" in (ROOT / ".gitignore").read_text().splitlines()


def mounted_from(mounted: dict[str, str], name: str) -> str:
    return next(source for source in mounted if source.endswith(name))


def test_web_takes_the_address_that_its_nginx_saw() -> None:
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in (DEPLOY / "nginx/recsite.conf").read_text()
    assert compose()["services"]["web-1"]["environment"]["RECSITE_TRUSTED_PROXIES"] == "1"


def test_the_image_serves_with_the_limits_of_an_installation(tmp_path: Path) -> None:
    place = Installation(project=ROOT, data=tmp_path, host="127.0.0.1", port=1, web_workers=1, demo=False)
    web = next(process for process in place.processes({}) if process.name == "web")
    shared = (DEPLOY / "Dockerfile").read_text().partition(" AS cuda\n")[0].rpartition("\n# ")[0]
    served = json.loads(shared.rpartition("CMD ")[2].replace("\\\n", ""))

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
