"""Keys and sites: made, found in memory, rotated and revoked."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from tracking.access import sites
from tracking.models import ApiKey, Site

pytestmark = pytest.mark.django_db


@pytest.fixture
def site() -> Site:
    return Site.objects.create(slug="shop", name="Shop")


def found(value: str) -> sites.KeyInfo | None:
    sites.keys.reload()
    return sites.find_key(value)


def test_a_new_key_is_found_with_its_site(site: Site) -> None:
    _, value = sites.create_key(site, "pk", "pages")
    key = found(value)
    assert key is not None
    assert (key.kind, key.site.slug, key.is_secret) == ("pk", "shop", False)


def test_keys_are_long_enough_and_unlike(site: Site) -> None:
    values = {sites.create_key(site, "pk")[1] for _ in range(20)}
    assert len(values) == 20
    assert all(re.fullmatch(r"pk_[0-9A-Za-z]{24}", value) for value in values)  # 62**24 > 2**142


def test_of_a_secret_key_only_a_digest_is_kept(site: Site) -> None:
    key, value = sites.create_key(site, "sk")
    row = ApiKey.objects.values().get(pk=key.pk)
    assert all(value not in str(kept) for kept in row.values())
    assert found(value) is not None


def test_a_third_live_secret_key_is_refused(site: Site) -> None:
    first, _ = sites.create_key(site, "sk")
    sites.create_key(site, "sk")
    with pytest.raises(sites.TooManyKeys, match="shop"):
        sites.create_key(site, "sk")
    sites.revoke(first)
    sites.create_key(site, "sk")


def test_rotation_leaves_the_old_key_alive_for_its_grace(site: Site) -> None:
    key, old = sites.create_key(site, "sk", "server")
    successor, new = sites.rotate(key, grace=dt.timedelta(hours=1))
    assert successor.label == "server"
    assert found(old) is not None
    assert found(new) is not None
    ApiKey.objects.filter(pk=key.pk).update(expires_at=timezone.now())
    assert found(old) is None
    assert found(new) is not None


def test_a_key_expires_between_two_loads(site: Site, monkeypatch) -> None:
    _, value = sites.create_key(site, "pk", expires_at=timezone.now() + dt.timedelta(hours=1))
    assert found(value) is not None
    in_two_hours = timezone.now().timestamp() + 7200
    monkeypatch.setattr(sites.time, "time", lambda: in_two_hours)
    assert sites.find_key(value) is None


def test_revoked_keys_and_keys_of_inactive_sites_are_not_found(site: Site) -> None:
    key, value = sites.create_key(site, "pk")
    sites.revoke(key)
    assert found(value) is None
    _, value = sites.create_key(site, "pk")
    Site.objects.update(is_active=False)
    assert found(value) is None


@pytest.mark.parametrize("value", ["", "pk_", "x" * 129, "pk_\ud800", "pk_ä\0"])
def test_nonsense_is_not_a_key(site: Site, value: str) -> None:
    assert found(value) is None


def test_finding_a_key_runs_no_sql(site: Site, django_assert_num_queries) -> None:
    _, value = sites.create_key(site, "pk")
    sites.keys.reload()
    with django_assert_num_queries(0):
        assert sites.find_key(value) is not None


def test_saving_a_site_or_a_key_announces_it(site: Site, monkeypatch) -> None:
    announced: list[str] = []
    monkeypatch.setattr(sites, "announce", announced.append)
    site.save()
    key, _ = sites.create_key(site, "pk")
    sites.revoke(key)
    key.delete()
    assert announced == ["keys"] * 4


@pytest.mark.parametrize(
    ("origins", "origin", "is_allowed"),
    [
        ([], "https://anything.example", True),
        (["https://www.shop.example"], "https://www.shop.example", True),
        (["https://www.shop.example"], "https://WWW.shop.example", True),
        (["https://www.shop.example"], "http://www.shop.example", False),
        (["https://www.shop.example"], "https://www.shop.example:8443", False),
        (["https://www.shop.example"], "https://www.shop.example.evil.example", False),
        (["https://www.shop.example"], "null", False),
        (["https://*.shop.example"], "https://de.shop.example", True),
        (["https://*.shop.example"], "https://shop.example", False),
        (["https://*.shop.example"], "https://evilshop.example", False),
        (["https://*.shop.example"], "https://.shop.example", False),
    ],
)
def test_origins(origins: list[str], origin: str, is_allowed: bool) -> None:
    site = Site.objects.create(slug="shop", name="Shop", origins=origins)
    assert sites.site_info(site).allows_origin(origin) is is_allowed


@pytest.mark.parametrize("origins", ["https://a.example", ["a.example"], ["https://a.example/path"], [1]])
def test_a_malformed_origin_is_refused_by_name(origins: object) -> None:
    with pytest.raises(ValidationError, match="origins"):
        Site(slug="shop", name="Shop", origins=origins).full_clean()


def test_the_default_site_is_made_once() -> None:
    site, value = sites.ensure_default_site()
    again, same = sites.ensure_default_site()
    assert (site.pk, value) == (again.pk, same)
    assert value.startswith("pk_")
    assert len(site.token_secret) >= 43


def test_secrets_do_not_show_in_logs(site: Site) -> None:
    assert site.token_secret not in repr(sites.site_info(site))
