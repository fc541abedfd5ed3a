"""A real nginx with the configuration of ``deploy/nginx``, in front of an upstream that the test counts."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from recsite.supervisor.ports import free_port
from tests.services.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
NGINX = shutil.which("nginx") or "/usr/sbin/nginx"


def compose(name: str = "compose.yaml") -> dict[str, Any]:
    """Return a file of compose, its variables as they are written."""
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / name).read_text())
    return loaded


def filled_in(text: str, **variables: str) -> str:
    """Return ``text`` as compose reads it: ``${NAME}``, ``${NAME:-default}``, ``${NAME:?message}``, ``$$``."""

    def value(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        name, operator, rest = found[1], found[2], found[3]
        if variables.get(name):
            return variables[name]
        assert operator != ":?", f"{name}: {rest}"
        return rest or ""

    return re.sub(r"\$\$|\$\{(\w+)(?:(:-|:\?)([^}]*))?\}", value, text)


@dataclass
class Upstream:
    """What stands behind nginx: answers a public list, slowly, and counts."""

    port: int
    calls: Counter[str] = field(default_factory=Counter)
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200
    delay_s: float = 0.0
    size: int = 0
    cache_control: str = "public, max-age=0, s-maxage=60, stale-while-revalidate=60"


@dataclass
class Nginx:
    port: int
    upstream: Upstream

    def get(
        self, path: str, method: str = "GET", *, source: str = "127.0.0.1", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10, source_address=(source, 0))
        try:
            connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
        finally:
            connection.close()


@contextmanager
def serving() -> Iterator[Upstream]:
    """Serve what stands behind nginx."""
    state = Upstream(port=free_port())

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            state.calls[self.path] += 1
            state.headers = {name.lower(): value for name, value in self.headers.items()}
            time.sleep(state.delay_s)  # sleep: an upstream that takes its time
            body = f"answer {state.calls[self.path]}".encode().ljust(state.size)
            self.send_response(state.status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "application/json")
            self.send_header("Cache-Control", state.cache_control)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", state.port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with serving() as state:
        yield state


def run_nginx(folder: Path, files: dict[str, dict[str, str]], *, port: int) -> Iterator[None]:
    """Run nginx on files of ``deploy/nginx``, in which addresses and paths of the machine are replaced."""
    if not Path(NGINX).exists():
        message = "nginx is not installed (Debian: nginx-light)"
        if os.environ.get("REQUIRE_ALL") == "1":
            pytest.fail(message)
        pytest.skip(message)
    sites = []
    for name, changes in files.items():
        site = (ROOT / "deploy/nginx" / name).read_text()
        for old, new in {"/var/log/nginx": str(folder), **changes}.items():
            assert old in site, f"deploy/nginx/{name} no longer has {old!r}"
            site = site.replace(old, new)
        sites.append(site)
    temporary = "\n".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1; {user}\n"
        f"events {{ worker_connections 512; }}\nhttp {{ access_log off; {temporary}\n" + "\n".join(sites) + "\n}\n"
    )
    process = subprocess.Popen([NGINX, "-c", str(config), "-p", str(folder)], stderr=subprocess.PIPE)

    def listens() -> bool:
        try:
            http.client.HTTPConnection("127.0.0.1", port, timeout=1).connect()
        except OSError:
            if process.poll() is not None:
                raise AssertionError(process.communicate()[1].decode()) from None
            return False
        return True

    try:
        wait_until(listens, "nginx")
        yield
    finally:
        process.terminate()
        process.communicate(timeout=10)


@pytest.fixture
def nginx(tmp_path: Path, upstream: Upstream) -> Iterator[Nginx]:
    yield from nginx_before(tmp_path, upstream, [upstream.port])


def nginx_before(folder: Path, upstream: Upstream, ports: Sequence[int]) -> Iterator[Nginx]:
    """Run nginx in the clear before web processes on these ports."""
    port = free_port()
    for _ in run_nginx(folder, {"recsite.conf": site_changes(folder, ports, f"listen 127.0.0.1:{port};")}, port=port):
        yield Nginx(port, upstream)


def site_changes(folder: Path, ports: Sequence[int], listen: str, *, plain: int = 0) -> dict[str, str]:
    """Return what is another on this machine than in the image: addresses, folders, and the names of containers.

    Debian 12's nginx does not ask for names of an upstream again (``resolve``); here they are addresses.
    """
    listening, cleared = folder / "listen.conf", f"listen 127.0.0.1:{plain or free_port()};"
    listening.write_text(listen + "\n")
    site = (ROOT / "deploy/nginx/recsite.conf").read_text()
    servers = re.findall(r"^    server web-\d:8000 (.*) resolve;\n", site, re.MULTILINE)
    assert len(servers) == 2
    return {
        "    server web-1:8000 " + servers[0] + " resolve;\n": "".join(
            f"server 127.0.0.1:{each} {servers[0]};\n" for each in ports
        ),
        "    server web-2:8000 " + servers[1] + " resolve;\n": "",
        "resolver 127.0.0.11 valid=2s ipv6=off;": "",
        "/etc/nginx/recsite/listen.conf": str(listening),
        "listen 80;": cleared,
        "/var/www/acme": str(folder / "acme"),
        "/var/cache/nginx/recsite": str(folder / "cache"),
    }
