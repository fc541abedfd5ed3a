"""OAuth2 client credentials: tokens given at ``/o/token/``, checked in memory, taken back within seconds."""

from __future__ import annotations

import base64
import itertools
import time
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from oauth2_provider.models import AccessToken, Application

from tests.tracking.asgi_client import call
from tracking.access import sites
from tracking.access.tokens import make_token, read_token
from tracking.http import oauth
from tracking.http.edge import HotPath, Reply, Request
from tracking.models import OAuthClient, Site

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_quotas(monkeypatch) -> None:
    """Count the requests of a test, and share it with nobody."""
    monkeypatch.setattr(oauth, "_quotas", oauth.Quotas())
    monkeypatch.setattr(oauth.Quotas, "start", lambda self, url: None)


@pytest.fixture(autouse=True)
def _keys() -> Any:
    old = sites.keys._value
    yield
    sites.keys._value = old


@pytest.fixture
def site() -> Site:
    return Site.objects.create(slug="shop", name="Shop")


def request_token(client_id: str, secret: str, **data: str) -> Any:
    basic = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    return Client().post(
        "/o/token/", {"grant_type": "client_credentials", **data}, headers={"authorization": f"Basic {basic}"}
    )


def a_token(site: Site, *scopes: str) -> tuple[OAuthClient, str]:
    client, client_id, secret = oauth.create_client(site, "server", scopes=scopes or ("events",))
    sites.keys.reload()
    answer = request_token(client_id, secret)
    assert answer.status_code == 200, answer.content
    return client, answer.json()["access_token"]


async def echo(request: Request) -> Reply:
    key = request.authenticate(scope=request.query.get("scope", "events"))
    return Reply(key.site.slug.encode())


PATH = HotPath(echo, name="test-oauth", methods=("GET",))


def test_a_token_opens_its_site_the_moment_it_is_issued(site: Site) -> None:
    _, token = a_token(site, "events", "catalogue")  # issued after the last load: known by its signature alone
    key = sites.find_key(token)
    assert key is not None
    assert (key.site.slug, key.is_secret, key.scopes) == ("shop", True, frozenset({"events", "catalogue"}))
    sites.keys.reload()
    assert sites.find_key(token) == key


def test_finding_a_token_runs_no_sql(site: Site, django_assert_num_queries) -> None:
    _, token = a_token(site)
    sites.keys.reload()
    with django_assert_num_queries(0):
        assert sites.find_key(token) is not None


def test_of_secret_and_token_only_digests_are_kept(site: Site) -> None:
    _, client_id, secret = oauth.create_client(site, "server", scopes=["events"])
    token = request_token(client_id, secret).json()["access_token"]
    assert secret not in str(Application.objects.values())
    assert Application.objects.get().client_secret.startswith("argon2")
    assert token not in str(AccessToken.objects.values())


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"grant_type": "password", "username": "a", "password": "b"}, 400),
        ({"grant_type": "authorization_code", "code": "x"}, 400),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, 400),
        ({"scope": "users"}, 400),
        ({"scope": "events"}, 200),
    ],
)
def test_a_client_gets_by_its_credentials_what_it_was_given_and_no_more(site, changes: Any, status: int) -> None:
    _, client_id, secret = oauth.create_client(site, "server", scopes=["events", "catalogue"])
    assert request_token(client_id, secret, **changes).status_code == status


def test_a_wrong_secret_a_foreign_application_and_a_revoked_client_get_nothing(site: Site) -> None:
    client, client_id, secret = oauth.create_client(site, "server", scopes=["events"])
    Application.objects.create(
        client_id="siteless", client_secret="s" * 40, client_type="confidential",
        authorization_grant_type="client-credentials",
    )  # fmt: skip
    assert request_token(client_id, secret[:-1]).status_code == 401
    assert request_token("siteless", "s" * 40).status_code == 401
    oauth.revoke_client(client)
    assert request_token(client_id, secret).status_code == 401


def test_scopes_that_do_not_exist_are_refused(site: Site) -> None:
    for scopes in ([], ["everything"], "events"):
        with pytest.raises(ValidationError):
            oauth.create_client(site, "server", scopes=scopes)


def test_a_revoked_client_takes_its_tokens_with_it(site: Site, monkeypatch) -> None:
    client, token = a_token(site)
    announced: list[str] = []
    monkeypatch.setattr(sites, "announce", announced.append)
    oauth.revoke_client(client)
    assert set(announced) == {"keys"}  # loaded again at once; and at the latest after REFRESH_S
    assert sites.REFRESH_S < 5
    sites.keys.reload()
    assert sites.find_key(token) is None


def test_a_client_revokes_its_own_token_and_no_other(site: Site, monkeypatch) -> None:
    _, client_id, secret = oauth.create_client(site, "one", scopes=["events"])
    _, other_id, other_secret = oauth.create_client(site, "two", scopes=["events"])
    token = request_token(client_id, secret).json()["access_token"]
    later = time.time() + 10  # by now a load is younger than the token
    monkeypatch.setattr(sites.time, "time", lambda: later)

    for by, with_secret, is_live in ((other_id, other_secret, True), (client_id, secret, False)):
        data = {"token": token, "client_id": by, "client_secret": with_secret}
        assert Client().post("/o/revoke_token/", data).status_code == 200
        sites.keys.reload()
        assert (sites.find_key(token) is not None) is is_live


def test_a_token_expires_and_dies_with_its_site(site: Site, monkeypatch) -> None:
    _, token = a_token(site)
    Site.objects.update(is_active=False)
    sites.keys.reload()
    assert sites.find_key(token) is None
    Site.objects.update(is_active=True)
    sites.keys.reload()
    assert sites.find_key(token) is not None
    later = time.time() + 901
    monkeypatch.setattr(sites.time, "time", lambda: later)
    assert sites.find_key(token) is None


def test_a_client_that_lost_a_scope_loses_it_for_its_tokens(site: Site) -> None:
    client, token = a_token(site, "events", "users")
    client.scopes = ["events"]
    client.save()
    sites.keys.reload()
    key = sites.find_key(token)
    assert key is not None
    assert key.scopes == {"events"}


def test_no_token_can_be_made_up(site: Site, settings) -> None:
    client, token = a_token(site)
    said, _, signature = token.rpartition(".")
    for forged in (
        said.replace(f"ot_{client.pk}.", f"ot_{client.pk + 1}.") + "." + signature,
        said.replace(".e.", ".ceru.") + "." + signature,
        said + ".", said, "ot_", "ot_....." + signature, token + "x", token[:-1] + "é",
    ):  # fmt: skip
        assert sites.find_key(forged) is None
    assert read_token(token) is not None
    settings.SECRET_KEY = "another installation" * 3
    assert read_token(token) is None


def test_the_longest_token_is_still_read() -> None:
    token = make_token(client_id=2**31, scopes=("events", "recommendations", "catalogue", "users"), ttl_s=900, now=9e9)
    assert len(token) <= sites._MAX_VALUE_LENGTH
    assert read_token(token) is not None


async def test_a_scope_that_was_not_given_is_refused(install_keys) -> None:
    site = install_keys()
    live = sites.keys.current()
    client = sites.KeyInfo(
        id="oauth-1", kind="sk", prefix="ot_1", site=site, expires_at=None, scopes=frozenset({"events"})
    )
    sites.keys._value = sites.Keys(by_digest=live.by_digest, by_slug=live.by_slug, clients={1: client}, as_of=0.0)
    token = make_token(client_id=1, scopes=("events",), ttl_s=900, now=time.time())
    bearer = {"authorization": f"Bearer {token}"}

    allowed = await call(PATH, method="GET", headers=bearer)
    refused = await call(PATH, method="GET", headers=bearer, query=b"scope=recommendations")
    in_page = await call(PATH, method="GET", headers={**bearer, "origin": "https://www.shop.example"})

    assert (allowed.status, allowed.body) == (200, b"shop")
    assert (refused.status, refused.json["error"]) == (403, "insufficient_scope")
    assert 'scope="recommendations"' in (refused.header("www-authenticate") or "")
    assert (in_page.status, in_page.json["error"]) == (403, "secret_key_in_browser")


def test_guessing_secrets_is_slowed_down(site: Site) -> None:
    _, client_id, _ = oauth.create_client(site, "server", scopes=["events"])
    # Twice as many as a minute allows, since the count begins again with each.
    asked = (request_token("nobody", "wrong").status_code for _ in range(2 * oauth.TOKEN_REQUESTS_PER_MINUTE + 1))
    answered = list(itertools.takewhile(lambda status: status != 429, asked))
    assert set(answered) == {401}
    assert oauth.TOKEN_REQUESTS_PER_MINUTE <= len(answered) <= 2 * oauth.TOKEN_REQUESTS_PER_MINUTE
    assert request_token(client_id, "wrong").headers["Retry-After"]


def test_expired_tokens_are_forgotten(site: Site) -> None:
    a_token(site)
    assert oauth.forget_expired_tokens() == 0
    AccessToken.objects.update(expires="2020-01-01T00:00Z")
    assert oauth.forget_expired_tokens() == 1


def test_staff_make_a_client_see_its_secret_once_and_revoke_it(site: Site) -> None:
    staff = Client()
    staff.force_login(get_user_model().objects.create_superuser("anna", password="x" * 16))
    data = {"site": site.pk, "label": "shop server", "scopes": ["events", "catalogue"]}
    page = staff.post(reverse("admin:tracking_oauthclient_add"), data)
    assert page.status_code == 200, page
    client_id, secret = page.context["client_id"], page.context["secret"]
    assert secret in page.content.decode()
    assert "no-store" in page["Cache-Control"]
    assert request_token(client_id, secret).status_code == 200

    client = OAuthClient.objects.get()
    for name, args in (("changelist", []), ("change", [client.pk])):
        shown = staff.get(reverse(f"admin:tracking_oauthclient_{name}", args=args))
        assert shown.status_code == 200
        assert secret not in shown.content.decode()
    chosen = {"action": "revoke_selected", "_selected_action": [client.pk]}
    staff.post(reverse("admin:tracking_oauthclient_changelist"), chosen)
    assert request_token(client_id, secret).status_code == 401
    log = staff.get(reverse("admin:admin_logentry_changelist")).content.decode()
    assert "Revoked." in log
    assert "shop server" in log
