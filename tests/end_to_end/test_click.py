"""A click in Chromium changes the list on the same page."""

from __future__ import annotations

import http.server
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import websockets.sync.client

from features.keys import CHANGED_CHANNEL
from tests.end_to_end.conftest import ROOT, Running
from tests.services.fixtures import leave_out
from tests.services.process import Missing
from tests.services.waiting import BROWSER_S, until_subscribed

pytestmark = [
    pytest.mark.browser, pytest.mark.redis, pytest.mark.slow,
    pytest.mark.parametrize("installation", ["redis"], indirect=True),  # test_path.py goes the same way on both logs
]  # fmt: skip

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Shop</title>
<script async src="{address}/r/v1/rec.js" data-key="{pk}"></script>
<script>
window.rec = window.rec || function () {{ (rec.q = rec.q || []).push(arguments) }};
function view(item) {{ rec('track', 'view_item', {{items: [{{item_id: item, price: 10}}]}}) }}
</script>
<h1>Shop</h1>
<button onclick="view('tent11')">A tent</button> <button onclick="view('lamp12')">A lamp</button>
<rec-widget placement="home_for_you" limit="4" heading="For you" live></rec-widget></html>"""


@pytest.fixture
def shop_page(trained: Running, tmp_path: Path) -> Iterator[str]:
    """Serve the page from an origin of its own, as a shop would."""
    (tmp_path / "index.html").write_text(PAGE.format(address=trained.address, pk=trained.pk))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


@pytest.fixture
def listening(trained: Running) -> Iterator[None]:
    """Keep a page open, so that the process hears of changes before the browser comes."""
    with websockets.sync.client.connect(trained.address.replace("http", "ws") + "/v1/live") as socket:
        socket.send(json.dumps({"type": "hello", "key": trained.pk, "anonymous_id": "another-page-of-the-shop"}))
        assert json.loads(socket.recv(BROWSER_S))["type"] == "ready"
        until_subscribed(trained.environment["REDIS_URL"], CHANGED_CHANNEL)
        yield


@pytest.mark.usefixtures("listening")
def test_click_changes_the_list_on_the_open_page(
    shop_page: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    chromium, node = shutil.which("chromium"), shutil.which("node")
    if not chromium or not node or not (ROOT / "sdk/node_modules/playwright-core").exists():
        leave_out(request.config, Missing("Chromium", "install Debian's chromium and nodejs, then run npm ci in sdk/"))
    assert chromium is not None
    assert node is not None
    done = subprocess.run(
        [node, str(ROOT / "tests/end_to_end/click.mjs"), shop_page, chromium, str(tmp_path / "page.png")],
        capture_output=True,
        text=True,
        timeout=BROWSER_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["problems"] == []
    assert seen["after"], "the widget shows a list"
    assert "lamp" in seen["after"][0], f"after the lamp, lamps come first: {seen}"
    assert len(seen["ms"]) == 2
    print(f"click → changed list: {seen['ms']} ms")
