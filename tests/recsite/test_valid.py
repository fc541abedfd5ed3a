"""A setting that cannot work is refused at the start, by name, with the value and the remedy; a misspelt one is told.

Every variable of ``docs/settings.md`` is set to what it cannot be, in a process that starts.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
FILE: Final = str(ROOT / "manage.py")
NUMBERS: Final = ("ten", "-1", "1e400", "9" * 30, "1.5", "NaN", "0x10")
FLAGS: Final = ("maybe", "2", "yess")
FOLDERS: Final = (FILE, f"{FILE}/below", "/proc/nowhere")
HOSTS: Final = ("https://shop.example", "shop.example:80", "two words", "a" * 70, "shop..example")
REDIS: Final = (
    "http://localhost", "localhost:6379", "redis://", "redis://:6379/0", "redis://localhost:notaport/0",
    "redis://localhost:99999/0", "redis://localhost:0/0", "redis://local host:6379/0", "redis://localhost/shop",
    "unix://", "redis://[::1/0",
)  # fmt: skip
WRONG: Final[dict[str, tuple[str, ...]]] = {
    "RECSITE_DATA_DIR": FOLDERS,
    "DATABASE_URL": (
        "mysql://localhost/shop", "postgres://localhost", "postgres://localhost:port/shop", "sqlite://", "shop.db",
    ),
    "REDIS_URL": REDIS,
    "EVENT_LOG_URL": (*REDIS[:7], "kafka://", "kafka:///topic", "amqp://localhost", "memory://"),
    "CELERY_BROKER_URL": ("localhost", "http://localhost", "redis//localhost", "redis://localhost:99999/0"),
    "SPOOL_DIR": FOLDERS,
    "RECSITE_ARCHIVE_URL": (FILE, f"{FILE}/below", "s4://bucket/path", "s3:///path"),
    "RECSITE_MODEL_DIR": FOLDERS,
    "RECSITE_SENTRY_DSN": (
        "errors.example/7", "https://errors.example/7", "https://key@errors.example", "https://key@errors.example/shop",
        "redis://key@errors.example/7", "https://key@/7",
    ),
    "RECSITE_OTLP_ENDPOINT": (
        "collector:4318", "grpc://collector:4317", "http://", "http://collector:port", "http://collector:99999",
        "http://collector:4318/v1/traces?key=1", "http://collector:4318/#traces",
    ),
    "RECSITE_TRACE_SHARE": ("some", "-0.1", "1.5", "nan", "inf"),
    "RECSITE_STATIC_ROOT": FOLDERS,
    "RECSITE_TEXT_ENCODER": FOLDERS,
    "RECSITE_COUNTRY_HEADER": ("cf ip country", "x:country"),
    "RECSITE_OIDC_ISSUER": ("idp.example", "ftp://idp.example", "https://"),
    "RECSITE_OIDC_ROLES": ("merchants", "=shop:Owner", "admins=shop"),
    "RECSITE_EMAIL_URL": ("mail.example:25", "http://mail.example", "smtp://"),
    "RECSITE_ALLOWED_HOSTS": HOSTS,
    "RECSITE_CSRF_TRUSTED_ORIGINS": ("shop.example", "https://", "https://shop.example/admin", "ftp://shop.example"),
    "RECSITE_TRUSTED_PROXY_NETWORKS": ("10.0.0.0/99", "proxy.example", "10.0.0.1/8"),
    "RECSITE_PROXY_SECRET": ("short",),
    "RECSITE_METRICS_TOKEN": ("short",),
    "RECSITE_METRICS_HOST": HOSTS,
    "RECSITE_METRICS_PORT": (*NUMBERS, "65536"),
    "RECSITE_LOG_LEVEL": ("LOUD", "10", "info,debug"),
    "RECSITE_INFERENCE_PROVIDER": ("tpu", "CUDA:0"),
    "RECSITE_INFERENCE_THREADS": (*NUMBERS, "0", "65"),
    **dict.fromkeys(
        (
            "RECSITE_TRUSTED_PROXIES", "EVENT_LOG_TIMEOUT_MS", "REDIS_TIMEOUT_MS", "RECSITE_DATABASE_TIMEOUT_MS",
            "SPOOL_MAX_MB", "RECSITE_BUDGET_MS", "RECSITE_SESSION_TTL_S", "RECSITE_PROFILE_TTL_S",
            "RECSITE_LATENESS_MS", "RECSITE_STREAM_BATCH_RECORDS", "RECSITE_PROFILE_RETENTION_DAYS",
            "RECSITE_ARCHIVE_RETENTION_DAYS",
        ),
        NUMBERS,
    ),
    **dict.fromkeys(
        ("RECSITE_DEBUG", "RECSITE_HTTPS", "RECSITE_REQUIRE_SECOND_FACTOR", "RECSITE_DEMO"),
        FLAGS,
    ),
}  # fmt: skip
ANYTHING: Final = {
    "RECSITE_SECRET_KEY", "RECSITE_SECRET_KEY_FALLBACKS", "RECSITE_HSTS_PRELOAD", "RECSITE_LOG_FORMAT",
    "RECSITE_OIDC_CLIENT_ID", "RECSITE_OIDC_CLIENT_SECRET", "RECSITE_OIDC_GROUPS_CLAIM", "RECSITE_OIDC_SCOPES",
    "RECSITE_EMAIL_FROM", "RECSITE_SENTRY_ENVIRONMENT",
}  # fmt: skip
"""Of these every text is one, or they are tried elsewhere."""

READS: Final = """
import importlib, os, sys
from django.core.exceptions import ImproperlyConfigured
import recsite.settings
before = dict(os.environ)
for line in sys.stdin.read().splitlines():
    name, _, value = line.partition("=")
    os.environ.clear()
    os.environ.update(before, **{name: value})
    try:
        importlib.reload(recsite.settings)
    except ImproperlyConfigured as error:
        print(f"{line}\\t{error}")
    except Exception as error:
        print(f"{line}\\t!{error!r}")
    else:
        print(f"{line}\\t")
"""


def read_settings(lines: list[str], data: Path) -> dict[str, str]:
    """Return what each ``NAME=value`` is refused with, empty where it is taken; all in one process."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("RECSITE_", "SPOOL"))}
    environment |= {"RECSITE_DATA_DIR": str(data), "RECSITE_SECRET_KEY": "k" * 60}
    done = subprocess.run(
        [sys.executable, "-c", READS], cwd=ROOT, env=environment, input="\n".join(lines), capture_output=True,
        text=True, check=True, timeout=60,
    )  # fmt: skip
    return {line.split("\t", 1)[0]: line.split("\t", 1)[1] for line in done.stdout.splitlines()}


def test_every_documented_setting_is_tried() -> None:
    documented = set(re.findall(r"^\| `(\w+)` ", (ROOT / "docs/settings.md").read_text(), re.MULTILINE))
    assert documented <= WRONG.keys() | ANYTHING


@pytest.mark.slow
def test_whatever_cannot_work_is_refused_with_name_value_and_remedy(tmp_path: Path) -> None:
    tried = [f"{name}={value}" for name, values in WRONG.items() for value in values]
    said = read_settings(tried, tmp_path)
    taken = [line for line in tried if not said[line]]
    assert taken == []
    for line in tried:
        name, _, value = line.partition("=")
        assert not said[line].startswith("!"), (line, said[line])
        assert name in said[line]
        if name not in ("RECSITE_PROXY_SECRET", "RECSITE_METRICS_TOKEN", "RECSITE_SENTRY_DSN"):
            assert value[:20] in said[line] or repr(value)[1:20] in said[line]
        assert (
            ";" in said[line]
            or "use" in said[line]
            or "must" in said[line]
            or "least" in said[line]
            or "most" in (said[line])
            or "number" in said[line]
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    [
        "DATABASE_URL=postgres://user:p%40ss@db.internal:5432/shop", "DATABASE_URL=sqlite:////tmp/shop.sqlite3",
        "DATABASE_URL=postgres:///shop", "REDIS_URL=rediss://:secret@redis:6379/3", "REDIS_URL=unix:///run/redis.sock",
        "REDIS_URL=redis+cluster://a:7000", "EVENT_LOG_URL=kafka://a:9092,b:9092/topic?partitions=8",
        "EVENT_LOG_URL=redis://redis:6379/0?stream=events&partitions=4", "CELERY_BROKER_URL=amqp://guest@rabbit:5672//",
        "RECSITE_ARCHIVE_URL=s3://bucket/path", "RECSITE_ALLOWED_HOSTS=*,.shop.example,10.0.0.1,[::1],a_b",
        "RECSITE_CSRF_TRUSTED_ORIGINS=https://*.shop.example,http://localhost:8000", "RECSITE_LOG_LEVEL=debug",
        "RECSITE_METRICS_HOST=::", "RECSITE_TRUSTED_PROXY_NETWORKS=10.0.0.0/8, fd00::/8, 192.0.2.1",
        "RECSITE_LATENESS_MS=0", "RECSITE_SECRET_KEY_FALLBACKS=old,older",
    ],
)  # fmt: skip
def test_what_works_is_taken(line: str, tmp_path: Path) -> None:
    assert read_settings([line], tmp_path) == {line: ""}


def manage(*arguments: str, data: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RECSITE_")}
    clean |= {"RECSITE_DATA_DIR": str(data), "RECSITE_SECRET_KEY": "k" * 60, **environment}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, env=clean, capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip


@pytest.mark.slow
def test_a_name_that_nothing_reads_is_told_with_the_nearest(tmp_path: Path) -> None:
    said = manage("check", data=tmp_path, RECSITE_SESION_TTL_S="60", EVENT_LOG_TIMEOUT="5", RECSITE_DOMAIN="x").stderr
    assert "RECSITE_SESION_TTL_S is not a setting" in said
    assert "Did you mean RECSITE_SESSION_TTL_S?" in said
    assert "Did you mean EVENT_LOG_TIMEOUT_MS?" in said
    assert "RECSITE_DOMAIN" not in said
    assert said.count("is not a setting") == 2


@pytest.mark.slow
def test_a_missing_data_folder_is_named_with_the_remedy(tmp_path: Path) -> None:
    data = tmp_path / "not" / "there"
    done = manage("migrate", data=data)
    assert done.returncode == 1
    assert f"mkdir -p {data}" in done.stderr
    assert "RECSITE_DATA_DIR" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_signatures_of_a_former_secret_are_valid_while_it_is_named(tmp_path: Path) -> None:
    former = {"RECSITE_SECRET_KEY": "f" * 60}
    script = "from django.core.signing import Signer; "
    signed = manage("shell", "-v", "0", "-c", script + "print(Signer().sign('x'))", data=tmp_path, **former).stdout
    check = script + f"print(Signer().unsign({signed.strip()!r}))"
    assert manage("shell", "-v", "0", "-c", check, data=tmp_path).returncode != 0
    again = manage("shell", "-v", "0", "-c", check, data=tmp_path, RECSITE_SECRET_KEY_FALLBACKS=f"other,{'f' * 60}")
    assert again.stdout.strip() == "x", again.stderr


@pytest.mark.slow
def test_a_web_process_is_refused_what_the_checks_refuse(tmp_path: Path) -> None:
    environment = {**os.environ, "RECSITE_DATA_DIR": str(tmp_path), "RECSITE_SECRET_KEY": "k" * 60}
    environment["EVENT_LOG_URL"] = "kafka://127.0.0.1:9092/topic?partitionz=4"
    done = subprocess.run(
        [sys.executable, "-c", "import recsite.asgi"], cwd=ROOT, env=environment, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert "EVENT_LOG_URL" in done.stderr.splitlines()[-1]
    assert "partitionz" in done.stderr.splitlines()[-1]
