"""Client certificates: registered by staff, taken from nginx alone, refused within seconds once revoked."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from tests.deploy.test_mtls import SECRET, Pair, issue
from tracking.access import sites
from tracking.models import ClientCertificate, Site

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]


@pytest.fixture(autouse=True)
def _keys(settings: Any) -> Any:
    settings.PROXY_SECRET = SECRET
    old = sites.keys._value
    yield
    sites.keys._value = old


@pytest.fixture
def site() -> Site:
    return Site.objects.create(slug="shop", name="Shop")


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return issue(tmp_path, "server-1")


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("anna", password="x" * 16))
    return client


def ask(pair: Pair, **headers: str) -> Any:
    sites.keys.reload()
    said = {"x-recsite-client-cert": quote(pair.pem), "x-recsite-proxy-secret": SECRET, **headers}
    return Client().get("/v1/placements", headers=said)


def test_staff_register_a_certificate_and_revoke_it(staff: Client, site: Site, pair: Pair) -> None:
    assert ask(pair).json()["error"] == "unknown_certificate"
    add = reverse("admin:tracking_clientcertificate_add")
    assert staff.post(add, {"site": site.pk, "label": "server", "pem": pair.pem}).status_code == 302
    kept = ClientCertificate.objects.get()
    assert kept.subject == "CN=server-1"
    assert ask(pair).status_code == 200

    again = staff.post(add, {"site": site.pk, "label": "server", "pem": pair.pem}).content.decode()
    assert "is registered already" in again
    chosen = {"action": "revoke_selected", "_selected_action": [kept.pk]}
    staff.post(reverse("admin:tracking_clientcertificate_changelist"), chosen)
    assert ask(pair).status_code == 401


@pytest.mark.parametrize(
    ("pem", "says"), [("hello", "is not a certificate"), ("-----BEGIN PRIVATE KEY-----\nMII", "holds a private key")]
)
def test_what_is_no_certificate_is_refused_in_the_form(staff: Client, site: Site, pem: str, says: str) -> None:
    add = reverse("admin:tracking_clientcertificate_add")
    page = staff.post(add, {"site": site.pk, "label": "server", "pem": pem}).content.decode()
    assert says in page
    assert not ClientCertificate.objects.exists()


def test_the_typed_api_takes_certificates_from_nginx_alone(staff: Client, site: Site, pair: Pair) -> None:
    staff.post(reverse("admin:tracking_clientcertificate_add"), {"site": site.pk, "label": "server", "pem": pair.pem})
    assert ask(pair).status_code == 200
    assert ask(pair, **{"x-recsite-proxy-secret": "guessed"}).status_code == 401
    other = Site.objects.create(slug="other", name="Other")
    foreign = sites.create_key(other, "sk")[1]
    assert ask(pair, authorization=f"Bearer {foreign}").status_code == 401


def test_an_expired_certificate_and_one_of_a_closed_site_open_nothing(site: Site, pair: Pair, staff: Client) -> None:
    staff.post(reverse("admin:tracking_clientcertificate_add"), {"site": site.pk, "label": "server", "pem": pair.pem})
    ClientCertificate.objects.update(expires_at=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    assert ask(pair).status_code == 401
    ClientCertificate.objects.update(expires_at=dt.datetime(2120, 1, 1, tzinfo=dt.UTC))
    assert ask(pair).status_code == 200
    Site.objects.update(is_active=False)
    assert ask(pair).status_code == 401
