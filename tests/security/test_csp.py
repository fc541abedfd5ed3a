"""Content security policies: what is sent, and what a real browser says of every page under it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import NoReverseMatch, reverse

from recsite.server import csp
from tests.services.fixtures import leave_out
from tests.services.process import Missing
from tests.services.waiting import BROWSER_S
from tracking.access.sites import create_key
from tracking.models import DeadLetter, Site

pytestmark = pytest.mark.filterwarnings("ignore:No directory at")
HERE = Path(__file__).parent


def directives(response: Any) -> dict[str, list[str]]:
    parts = [part.split() for part in response["Content-Security-Policy"].split(";") if part.strip()]
    return {name: values for name, *values in parts}


@pytest.fixture
def staff(db: None) -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("anna", password="x" * 16))
    return client


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/v1/items", "/v1/openapi.json", "/v1/health", "/v1/placements"])
def test_data_may_load_nothing(path: str) -> None:
    found = directives(Client().get(path))
    assert {found[name][0] for name in ("default-src", "frame-ancestors", "base-uri", "form-action")} == {"'none'"}


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/nowhere", "/r/v1/rec.js", "/accounts/login/"])
def test_everything_else_is_strict(path: str) -> None:
    response = Client().get(path)
    found = directives(response) if "json" not in response["Content-Type"] else None
    if found is not None:
        assert "unsafe" not in str(found)
        assert found["script-src"] == ["'self'"]
        assert found["object-src"] == found["frame-ancestors"] == found["base-uri"] == ["'none'"]


@pytest.mark.django_db
def test_the_admin_is_relaxed_as_far_as_written_and_no_further(staff: Client) -> None:
    in_admin = directives(staff.get("/admin/"))
    assert in_admin["script-src"] == ["'self'", "'unsafe-eval'"]
    assert in_admin["style-src"] == ["'self'", "'unsafe-inline'"]
    in_docs = directives(staff.get("/v1/docs"))
    assert in_docs["script-src"] == in_docs["style-src"] == ["'self'"]
    assert in_docs["frame-ancestors"] == ["'none'"]


@pytest.mark.slow
def test_the_demo_shop_keeps_the_policy_that_it_recommends(tmp_path: Path) -> None:
    code = (
        "from django.test import Client; from django.core.management import call_command\n"
        "call_command('migrate', verbosity=0)\n"
        "from recsite.demo.setup import ensure_site; ensure_site()\n"
        "print('policy=' + Client().get('/', HTTP_HOST='localhost')['Content-Security-Policy'])"
    )
    environment = {
        "RECSITE_DEMO": "1", "RECSITE_SECRET_KEY": "x" * 50, "RECSITE_DATA_DIR": str(tmp_path), "PATH": "/usr/bin",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, str(HERE.parents[1] / "manage.py"), "shell", "-v", "0", "-c", code],
        env=environment, capture_output=True, text=True, timeout=BROWSER_S, check=False,
    )  # fmt: skip
    assert "policy=" in done.stdout, done.stderr[-2000:]
    policy = done.stdout.partition("policy=")[2]
    assert "unsafe" not in policy
    assert "script-src 'self'" in policy


def every_page(staff: Client, site: Site) -> list[str]:
    """Return the addresses of the admin's pages: lists, forms and our own screens."""
    found = ["/admin/"]
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        found.append(reverse(f"{name}_changelist"))
        with suppress(NoReverseMatch):  # exchange rates are written as tables, and have no form
            if staff.get(reverse(f"{name}_add")).status_code == 200:
                found.append(reverse(f"{name}_add"))
    found += [reverse(f"admin:tracking_site_{name}", args=[site.pk]) for name in ("change", "embed", "live")]
    return found


def visit(request: pytest.FixtureRequest, live_server: Any, staff: Client, pages: list[str]) -> dict[str, Any]:
    """Open pages in Chromium as a member of staff, and return what it said of each."""
    chromium, node = shutil.which("chromium"), shutil.which("node")
    if chromium is None or node is None or not (HERE.parents[1] / "sdk/node_modules/playwright-core").exists():
        leave_out(request.config, Missing("Chromium and Node", "apt-get install chromium nodejs; npm ci in sdk/"))
    session = staff.cookies["sessionid"].value
    done = subprocess.run(
        [str(node), str(HERE / "csp.mjs"), str(chromium), session, live_server.url, *pages],
        capture_output=True, text=True, timeout=BROWSER_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_no_page_asks_for_more_than_its_policy_allows(
    request: pytest.FixtureRequest, live_server: Any, staff: Client
) -> None:
    site = Site.objects.create(slug="shop", name="Shop")
    create_key(site, "pk")
    DeadLetter.objects.create(site=site, reason="x", raw=b"{}", fingerprint="1", origin="collect")
    pages = [*every_page(staff, site), "/v1/docs"]
    assert len(pages) > 25

    found = visit(request, live_server, staff, pages)

    assert {page: each["status"] for page, each in found.items()} == dict.fromkeys(pages, 200)
    assert {page: each["violations"] for page, each in found.items() if each["violations"]} == {}
    assert {page: each["problems"] for page, each in found.items() if each["problems"]} == {}


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_no_page_is_allowed_more_than_it_needs(
    request: pytest.FixtureRequest, live_server: Any, staff: Client, monkeypatch: Any
) -> None:
    monkeypatch.setattr(csp, "RELAXED", {})
    found = visit(request, live_server, staff, ["/admin/", "/v1/docs"])
    needed = {page: {said.split()[0].split("-elem")[0].split("-attr")[0] for said in each["violations"]}
              for page, each in found.items()}  # fmt: skip
    monkeypatch.undo()
    assert needed == {"/v1/docs": set(), **{page: set(directives) for page, directives in csp.RELAXED.items()}}
