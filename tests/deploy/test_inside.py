"""Redis and Kafka as ``compose.yaml`` runs them: nobody gets in without the password or past TLS, and all of us do."""

from __future__ import annotations

import asyncio
import base64
import re
import shlex
import socket
import ssl
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from cryptography import x509
from django.core.cache import caches
from kombu import Connection

from deploy import certificates
from features.exceptions import StoreUnavailable
from features.store.fast_redis import SharedConnection
from tests.deploy.conftest import ROOT, compose, filled_in
from tests.services.certificates import issue
from tests.services.fixtures import leave_out
from tests.services.kafka_server import KafkaServer
from tests.services.process import Missing, free_port
from tests.services.redis_server import RedisServer, with_tls
from tracking.log import open_log
from tracking.log.base import LogUnavailable
from tracking.redis_client import connect, connect_async

PASSWORD = "p" * 30 + "-_"
VARIABLES = dict.fromkeys(("REDIS_PASSWORD", "KAFKA_PASSWORD", "POSTGRES_PASSWORD", "METRICS_TOKEN"), PASSWORD)
VARIABLES["RECSITE_DOMAIN"] = "localhost"


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    assert certificates.main([str(folder)], say=lambda line: None) == 0
    return folder


def shipped(name: str, tls: Path, **changes: str) -> str:
    """Return a URL that compose gives web processes, with the addresses and folders of this machine."""
    url = filled_in(compose()["services"]["web-1"]["environment"][name], **VARIABLES)
    for old, new in {"/run/tls/ca.crt": str(tls / "ca/ca.crt"), **changes}.items():
        assert old in url
        url = url.replace(old, new)
    return url


class ShippedRedis(RedisServer):
    """``redis-server`` with the command line of compose."""

    def __init__(self, tls: Path) -> None:
        super().__init__()
        self._program = with_tls()
        self._tls = tls / "redis"

    def command(self) -> list[str]:
        words = [filled_in(word, **VARIABLES) for word in compose()["services"]["redis"]["command"]]
        place = words.index("--tls-port") + 1
        assert words[place] == "6379"
        words[place] = str(self.port)
        words = [word.replace("/tls/", f"{self._tls}/") for word in words]
        return [self._program, *words[1:], "--dir", str(self.data), "--bind", "127.0.0.1"]

    def answers(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True


@pytest.fixture(scope="module")
def redis_address(tls: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    try:
        shipped_redis = ShippedRedis(tls)
    except Missing as missing:
        leave_out(request.config, missing)
    with shipped_redis as server:
        yield shipped("REDIS_URL", tls, **{"@redis:6379": f"@localhost:{server.port}"})


@pytest.mark.redis
def test_every_client_of_redis_gets_in_with_the_shipped_address(redis_address: str) -> None:
    assert connect(redis_address, timeout_s=5).ping()

    async def both() -> list[object]:
        client = connect_async(redis_address, timeout_s=5)
        shared = SharedConnection(redis_address, timeout_s=5)
        found = [await client.ping(), await shared.execute("PING")]
        await client.aclose()
        await shared.close()
        return found

    assert asyncio.run(both()) == [True, b"PONG"]
    cache_class = type(caches["default"])
    cache = cache_class(redis_address, {"OPTIONS": {"IGNORE_EXCEPTIONS": False}})
    cache.set("inside", 1, 60)
    assert cache.get("inside") == 1
    with Connection(redis_address) as broker:
        broker.ensure_connection(max_retries=1, timeout=10)
        queue = broker.SimpleQueue("inside")
        queue.put("a task")
        assert queue.get(timeout=10).payload == "a task"
        queue.close()


@pytest.mark.redis
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (PASSWORD, "wrong"),
        ("rediss://", "redis://"),
        ("ssl_ca_certs", "ssl_certfile_of_nobody"),  # the system's authorities do not know ours
    ],
)
def test_nobody_gets_into_redis_with_less(redis_address: str, old: str, new: str) -> None:
    url = redis_address.replace(old, new)
    if new == "redis://":
        url = url.partition("?")[0]
    elif old == "ssl_ca_certs":
        url = re.sub(r"&ssl_ca_certs=[^&]*", "", redis_address)
    with pytest.raises((redis.ConnectionError, redis.TimeoutError, redis.AuthenticationError)):
        connect(url, timeout_s=2).ping()

    async def ask() -> None:
        shared = SharedConnection(url, timeout_s=2)
        try:
            await shared.execute("PING")
        finally:
            await shared.close()

    with pytest.raises(StoreUnavailable):
        asyncio.run(ask())


class ShippedKafka(KafkaServer):
    """A broker with the settings that compose gives the image, which makes properties of them."""

    name = "kafka-inside"

    def __init__(self, tls: Path) -> None:
        super().__init__()
        self._local, self._tls = free_port(), tls / "kafka"

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self._local}"  # for the check that it answers, as in compose

    def properties(self) -> dict[str, str]:
        """Return what the image makes of its environment: ``___`` is a dash, ``__`` an underscore, ``_`` a dot."""
        found = {}
        for name, value in compose()["services"]["kafka"]["environment"].items():
            key = name.removeprefix("KAFKA_").lower().replace("___", "-").replace("__", "\0").replace("_", ".")
            found[key.replace("\0", "_")] = filled_in(str(value), **VARIABLES)
        ports = {":9092": f":{self.port}", ":9094": f":{self._local}", ":9093": f":{self._controller_port}"}
        for key in ("listeners", "advertised.listeners", "controller.quorum.voters"):
            for old, new in ports.items():
                found[key] = found[key].replace(old, new)
        found["listeners"] = found["listeners"].replace("INSIDE://:", "INSIDE://127.0.0.1:")
        found["advertised.listeners"] = found["advertised.listeners"].replace("//kafka:", "//localhost:")
        location = "listener.name.inside.ssl.keystore.location"
        found[location] = found[location].replace("/tls/", f"{self._tls}/")
        return found | {"log.dirs": str(self.data / "log"), "num.partitions": "2"}

    def command(self) -> list[str]:
        config = self.data / "server.properties"
        config.write_text("".join(f"{key}={value}\n" for key, value in self.properties().items()))
        java = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"]
        java = [*java, str(ROOT / "deploy/kafka/target/lib/*")]
        identity = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        form = [*java, "kafka.tools.StorageTool", "format", f"--cluster-id={identity}", "--config", str(config)]
        run = [*java, "kafka.Kafka", str(config)]
        return ["sh", "-c", f"{shlex.join(form)} && exec {shlex.join(run)}"]


@pytest.mark.kafka
def test_the_event_log_in_kafka_asks_for_password_and_tls(tls: Path) -> None:
    with ShippedKafka(tls) as server:
        url = shipped(
            "EVENT_LOG_URL", tls, **{"@kafka:9092": f"@localhost:{server.port}", "partitions=8": "partitions=2"}
        )
        log = open_log(url)
        log.ensure_topic()
        assert [record.value for partition in range(2) for record in log.read_all(partition)] == []
        without_tls = re.sub(r"&cafile=.*", "", url).replace("kafka+ssl://", "kafka://")
        unknown_authority = re.sub(r"&cafile=.*", "", url)
        for less in (url.replace(PASSWORD, "wrong"), without_tls, unknown_authority):
            refused = open_log(less)
            with pytest.raises(LogUnavailable):
                refused.ensure_topic()


def test_what_lasts_is_kept_and_what_ends_is_renewed(tls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fingerprints() -> list[bytes]:
        return [path.read_bytes() for path in sorted(tls.rglob("*.crt"))]

    before = fingerprints()
    assert certificates.main([str(tls)], say=lambda line: None) == 0
    assert fingerprints() == before
    monkeypatch.setattr(certificates, "RENEWED_DAYS", certificates.LASTS_DAYS + 1)
    said: list[str] = []
    assert certificates.main([str(tls)], say=said.append) == 0
    assert not set(fingerprints()) & set(before)
    assert len(said) == 2


def test_a_key_is_read_by_its_owner_and_an_authority_s_is_nowhere(tls: Path) -> None:
    assert (tls / "web/server.key").stat().st_mode & 0o077 == 0
    assert not list((tls / "ca").glob("*.key"))
    for name in ("redis", "kafka"):
        text = (tls / name / "server.pem").read_text()
        assert text.count("PRIVATE KEY-----") == 2
        assert "CA:TRUE" not in text


@pytest.mark.parametrize("domain", ["rec.shop.example", "10.0.0.1", "localhost.example", "shop.localhost.evil"])
def test_no_certificate_of_ours_is_made_for_a_real_name(tmp_path: Path, domain: str) -> None:
    said: list[str] = []
    assert certificates.main([str(tmp_path), "--domain", domain], say=said.append) == 1
    assert "RECSITE_TLS" in said[-1]
    assert domain in said[-1]
    assert not (tmp_path / "web/server.crt").exists()
    assert certificates.main([str(tmp_path), "--domain", domain, "--acme"], say=said.append) == 0


@pytest.mark.parametrize("domain", ["localhost", "shop.localhost", "127.0.0.1", "[::1]"])
def test_a_trial_gets_a_certificate_of_its_name(tmp_path: Path, domain: str) -> None:
    assert certificates.main([str(tmp_path), "--domain", domain], say=lambda line: None) == 0
    found = x509.load_pem_x509_certificate((tmp_path / "web/server.crt").read_bytes())
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == [domain.strip("[]")]
    context = ssl.create_default_context(cafile=str(tmp_path / "web/server.crt"))
    context.load_cert_chain(tmp_path / "web/server.crt", tmp_path / "web/server.key")


def test_a_real_certificate_is_left_alone(tmp_path: Path) -> None:
    authority = issue(tmp_path, "authority", is_authority=True)
    pair = issue(tmp_path, "rec.shop.example", by=authority, days=1)
    web = tmp_path / "web"
    web.mkdir()
    (web / "server.crt").write_bytes(pair.crt.read_bytes())
    assert not certificates.make_web(web, "rec.shop.example")
    assert (web / "server.crt").read_bytes() == pair.crt.read_bytes()
