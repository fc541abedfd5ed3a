"""Login by OpenID Connect against a real provider in a process of its own (django-oauth-toolkit)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.conf import settings as project
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client

from recsite.backoffice import single_sign_on
from tests.services.process import free_port
from tracking.models import AuditEntry, Membership, Site

pytestmark = [pytest.mark.django_db, pytest.mark.slow, pytest.mark.filterwarnings("ignore:No directory at")]
CALLBACK = "http://testserver/admin/sso/callback/"


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, str]]:
    port, folder = free_port(), tmp_path_factory.mktemp("provider")
    with (folder / "out").open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.services.oidc.provider", str(port), str(folder), CALLBACK],
            cwd=project.BASE_DIR, stdout=subprocess.PIPE, stderr=out, text=True,
        )  # fmt: skip
    try:
        assert process.stdout is not None
        client_id, secret = process.stdout.readline().split()
        issuer = f"http://127.0.0.1:{port}/o"
        answers = requests.Session()
        answers.mount(
            "http://", requests.adapters.HTTPAdapter(max_retries=requests.adapters.Retry(9, backoff_factor=0.1))
        )
        assert answers.get(issuer + single_sign_on.DOCUMENT, timeout=10).json()["issuer"] == issuer
        yield issuer, client_id, secret
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def shop(provider: tuple[str, str, str], settings: Any) -> Site:
    settings.OIDC_ISSUER, settings.OIDC_RP_CLIENT_ID, settings.OIDC_RP_CLIENT_SECRET = provider
    settings.OIDC_ROLES = [("merchants", "shop", "Merchandiser"), ("admins", "shop", "Owner")]
    settings.ROOT_URLCONF = "tests.recsite.backoffice.sso_urls"
    settings.AUTHENTICATION_BACKENDS = [
        *settings.AUTHENTICATION_BACKENDS, "recsite.backoffice.single_sign_on.Backend",
    ]  # fmt: skip
    settings.ALLOWED_HOSTS = ["testserver"]
    return Site.objects.create(slug="shop", name="Shop")


def go(client: Client, name: str) -> Any:
    """Walk the way of a browser: to the provider, which knows NAME, and back."""
    begun = client.get("/admin/sso/authenticate/")
    back = requests.get(f"{begun['Location']}&as={name}", allow_redirects=False, timeout=10)
    assert back.status_code == 302, back.text
    address = urlsplit(back.headers["Location"])
    assert back.headers["Location"].startswith(CALLBACK)
    return client.get(f"{address.path}?{address.query}")


def test_the_provider_s_groups_give_roles_and_take_them_back(shop: Site, settings: Any) -> None:
    client = Client()
    assert b"company account" in client.get("/admin/login/").content
    answer = go(client, "ada")
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")
    assert client.get("/admin/recommendations/rule/").status_code == 200
    assert client.get("/admin/tracking/apikey/").status_code == 403
    user = get_user_model().objects.get(username="ada@shop.example")
    assert (user.is_staff, user.is_superuser, user.has_usable_password()) == (True, False, False)
    assert AuditEntry.objects.filter(kind="login", actor="ada@shop.example").exists()

    by_hand = Membership.objects.create(user=user, site=shop, role=Group.objects.get(name="Analyst"))
    settings.OIDC_ROLES = [("unheard-of", "shop", "Viewer")]
    go(Client(), "ada")
    roles = set(Membership.objects.filter(user=user).values_list("role__name", flat=True))
    assert roles == {"Viewer", by_hand.role.name}


def test_who_has_no_role_is_not_let_in(shop: Site) -> None:
    client = Client()
    answer = go(client, "eve")
    assert answer["Location"] == "/admin/login/?refused=1"
    assert b"has no role on a site" in client.get(answer["Location"]).content
    assert not get_user_model().objects.filter(username__startswith="eve").exists()


def test_a_superuser_of_that_name_is_not_taken_over(shop: Site) -> None:
    get_user_model().objects.create_superuser("root@shop.example", password="x" * 16)
    client = Client()
    assert go(client, "root")["Location"] == "/admin/login/?refused=1"
    assert client.get("/admin/").status_code == 302


def test_a_code_for_another_application_opens_nothing(shop: Site, settings: Any) -> None:
    client = Client()
    begun = client.get("/admin/sso/authenticate/")
    back = requests.get(f"{begun['Location']}&as=ada", allow_redirects=False, timeout=10)
    query = urlsplit(back.headers["Location"]).query
    assert Client().get(f"/admin/sso/callback/?{query}")["Location"] == "/admin/login/?refused=1"


def test_without_a_provider_passwords_work_and_nobody_is_asked(settings: Any) -> None:
    assert settings.OIDC_ISSUER is None
    get_user_model().objects.create_superuser("anna", password="correct horse battery")
    client = Client()
    assert b"company account" not in client.get("/admin/login/").content
    answer = client.post("/admin/login/", {"username": "anna", "password": "correct horse battery"})
    assert answer.status_code == 302
