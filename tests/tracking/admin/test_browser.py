"""The admin's own scripts in Chromium, with real events: copy buttons, the live debugger, lists steered by hand."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.services.fixtures import leave_out
from tests.services.process import Missing
from tests.services.waiting import BROWSER_S
from tests.tracking.web_process import ROOT, Web

pytestmark = [pytest.mark.browser, pytest.mark.redis, pytest.mark.slow]

STAFF = """
import datetime as dt
import json
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone
from features.models import Item
from recommendations.state.placements import ensure_default_placements
from tracking.models import DeadLetter, Site
client = Client()
client.force_login(
    get_user_model().objects.create_superuser("anna", password="x" * 16), "django.contrib.auth.backends.ModelBackend"
)
site = Site.objects.get()
ensure_default_placements(site)
placement = site.placements.get(name="home_new").pk
Item.objects.create(site=site, item_id="BOOT1", title="Trail boots", price_minor=8990, currency="EUR", category="Shoes")
for number in range(2, 7):
    Item.objects.create(
        site=site, item_id=f"BOOT{number}", title=f"Boots {number}", price_minor=5000 + number, currency="EUR",
        category="Shoes", first_seen_at=timezone.now() - dt.timedelta(days=number))
event = {"event": "view_item", "event_id": "event-0001", "ts": 1700000000000,
         "params": {"items": [{"item_id": "SKU1", "quantity": 0}]}}
head = {"v": "1.0", "site": site.slug, "received_at_ms": 1700000000000, "anonymous_id": "a" * 32}
for number in range(5):
    DeadLetter.objects.create(
        site=site, reason="invalid_event" if number else "future_schema", origin="collect", fingerprint=str(number),
        field="events[0].params.items[0].quantity", detail="Expected `int` >= 1; send the number of pieces",
        key=f"{site.slug}/a:{'a' * 32}", raw=json.dumps({**head, "events": [event]}).encode())
print("said=" + json.dumps({"session": client.cookies["sessionid"].value, "site": site.pk, "letter": 2,
                           "placement": placement}))
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, redis_url: str, request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return what a member of staff saw; the script is one, and a user in another window."""
    chromium, node = shutil.which("chromium"), shutil.which("node")
    if not chromium or not node or not (ROOT / "sdk/node_modules/playwright-core").exists():
        leave_out(request.config, Missing("Chromium", "install Debian's chromium and nodejs, then run npm ci in sdk/"))
    folder = tmp_path_factory.mktemp("admin")
    # A database of its own: every test's site is called the same, and the newest events of a site are kept by its name.
    redis_url = redis_url.replace("/0", "/8")
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    log_url = f"{redis_url}?stream=admin-{os.getpid()}&partitions=1"
    web = Web(folder, redis_url=redis_url, log_url=log_url, application="recsite.asgi:application")
    try:
        web.prepare()
        web.manage("collectstatic", "--noinput", "-v0")
        said = json.loads(web.manage("shell", "-v0", "-c", STAFF).partition("said=")[2])
        web.start()
        done = subprocess.run(
            [
                str(node), str(Path(__file__).with_name("browser.mjs")), str(chromium), f"http://127.0.0.1:{web.port}",
                said["session"], str(said["site"]), str(said["letter"]), web.key, str(said["placement"]),
                os.environ.get("SCREENSHOTS", ""),
            ],
            capture_output=True, text=True, timeout=BROWSER_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:] + web.out.read_text()[-2000:]
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found
    finally:
        web.kill()


def test_no_screen_complains_in_the_console(seen: dict[str, Any]) -> None:
    assert seen["problems"] == []


def test_no_screen_scrolls_sideways_on_a_phone(seen: dict[str, Any]) -> None:
    assert seen["overflow"] == dict.fromkeys(("embed", "live", "letters", "letter", "edit", "placement", "steer"), 0)


def test_the_copy_button_copies_the_tag_and_says_so(seen: dict[str, Any]) -> None:
    assert seen["tag"].startswith("<script>window.rec=")
    assert seen["copied"] == {"clipboard": seen["tag"], "said": "Copied", "later": "Copy"}


def test_without_a_clipboard_the_text_is_selected(seen: dict[str, Any]) -> None:
    assert seen["selected"] == {"said": "Selected", "selection": seen["tag"]}


def test_the_embed_page_waits_for_the_first_event_and_says_when_it_was_seen(seen: dict[str, Any]) -> None:
    assert seen["before"].startswith("No event yet.")
    assert "We have seen your first event" in seen["after"]


def test_the_blocks_of_the_embed_page_run_as_printed(seen: dict[str, Any]) -> None:
    assert seen["printed"] == {"errors": [], "widget": True, "tracked": ["view_item", "add_to_cart", "purchase"]}


def test_the_checklist_turns_green_by_itself_and_says_what_is_left(seen: dict[str, Any]) -> None:
    before, after = seen["checks"]["before"], seen["checks"]["after"]
    assert {"key": "done", "event": "waiting", "policy": "waiting", "events": "waiting"}.items() <= before.items()
    assert {"event": "done", "policy": "done", "events": "done", "live": "done"}.items() <= after.items()
    assert "Add a feed" in seen["checks"]["said"] or "Open the page of an item" in seen["checks"]["said"]


def test_the_form_of_a_placement_draws_the_shops_own_widget_as_it_is_typed(seen: dict[str, Any]) -> None:
    assert seen["trial"] == {"items": ["Trail boots"], "heading": "Just in", "said": "", "wrong": True}


def test_a_list_is_steered_with_the_mouse(seen: dict[str, Any]) -> None:
    steer = seen["steer"]
    assert steer["before"] == ["BOOT1", "BOOT2", "BOOT3", "BOOT4", "BOOT5", "BOOT6"]
    assert steer["dragged"] == ["BOOT4", "BOOT1", "BOOT2", "BOOT3", "BOOT5", "BOOT6"]
    assert steer["unpinned"] == ["BOOT1", "BOOT2", "BOOT6", "BOOT3", "BOOT4", "BOOT5"]
    assert steer["excluded"] == ["BOOT1", "BOOT2", "BOOT6", "BOOT3", "BOOT4"]
    assert steer["undone"] == steer["unpinned"]


def test_a_list_is_steered_by_keys_that_say_what_they_did(seen: dict[str, Any]) -> None:
    steer = seen["steer"]
    assert steer["said"] == "Boots 5 is pinned to rank 2."
    assert steer["focus"] == "BOOT5"
    assert steer["deleted"] == steer["unpinned"]


def test_a_list_is_steered_on_a_phone_and_published(seen: dict[str, Any]) -> None:
    steer = seen["steer"]
    assert steer["axe"] == []
    assert steer["tapped"].index("BOOT3") < steer["deleted"].index("BOOT3")
    assert steer["published"] == steer["tapped"]
    assert steer["told"] == 1


def test_the_debugger_shows_good_and_refused_events_as_they_arrive(seen: dict[str, Any]) -> None:
    assert {"page_view", "view_item", "add_to_cart"} <= set(seen["live"])
    assert "invalid_event" in seen["live"]


def test_the_debugger_filters_by_user_event_and_reason(seen: dict[str, Any]) -> None:
    assert set(seen["by_event"]) == {"add_to_cart"}
    assert set(seen["by_user"]) == {"wish"}
    assert set(seen["refused"]) == {"invalid_event"}
    assert seen["nothing"] == "No event matches the filter."


def test_a_paused_debugger_stands_still_and_goes_on(seen: dict[str, Any]) -> None:
    assert (seen["paused"]["state"], seen["paused"]["pressed"]) == ("Paused", "true")
    assert "search" not in seen["paused"]["events"]
    assert "search" in seen["going_on"]["events"]
