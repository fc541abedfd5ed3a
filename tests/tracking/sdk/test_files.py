"""The browser files over HTTP and the tag that a page needs."""

from __future__ import annotations

import base64
import gzip
import hashlib

import pytest
from django.template import Context, Template
from django.test import Client

from tracking.access.sites import create_key, live_keys, revoke
from tracking.models import Site
from tracking.sdk import files
from tracking.sdk.files import current_file

pytestmark = pytest.mark.urls("tracking.urls")


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.mark.parametrize("name", files.FILES)
def test_the_newest_file_is_served_and_revalidated_by_etag(client: Client, name: str) -> None:
    first = client.get(f"/r/v1/{name}")
    assert first.status_code == 200
    assert first["Content-Type"] == "text/javascript; charset=utf-8"
    assert "max-age=300" in first["Cache-Control"]
    again = client.get(f"/r/v1/{name}", headers={"if-none-match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_gzip_saves_the_most_and_unpacks_to_the_same(client: Client) -> None:
    plain = client.get("/r/v1/rec.js").content
    packed = client.get("/r/v1/rec.js", headers={"accept-encoding": "br, gzip"})
    assert packed["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in packed["Vary"]
    assert gzip.decompress(packed.content) == plain
    assert len(packed.content) <= 7_500


def test_the_immutable_file_has_the_integrity_that_we_print(client: Client) -> None:
    file = current_file("rec.js")
    assert file is not None
    response = client.get(file.immutable_path)
    assert response["Cache-Control"] == "public, max-age=31536000, immutable"
    assert response["Access-Control-Allow-Origin"] == "*"
    digest = base64.b64encode(hashlib.sha384(response.content).digest()).decode()
    assert file.integrity == f"sha384-{digest}"


@pytest.mark.parametrize("path", ["/r/v1/other.js", "/r/v9.9.9/rec.js", "/r/v1/..rec.js"])
def test_what_is_not_there_is_a_404_that_names_what_is(client: Client, path: str) -> None:
    response = client.get(path)
    assert (response.status_code, response.json()["error"]) == (404, "unknown_address")
    assert "/r/v1/rec.js" in response.json()["message"]


def test_an_older_version_stays_where_pages_pinned_it(client: Client, tmp_path, monkeypatch) -> None:
    (tmp_path / "0.9.0").mkdir()
    (tmp_path / "rec.js").write_bytes(b"/*! rec.js 1.0.0 | x */new")
    (tmp_path / "0.9.0" / "rec.js").write_bytes(b"/*! rec.js 0.9.0 | x */old")
    monkeypatch.setattr(files, "FOLDER", tmp_path)
    assert client.get("/r/v0.9.0/rec.js").content.endswith(b"old")
    assert client.get("/r/v1.0.0/rec.js").content.endswith(b"new")


def test_the_script_imports_the_reader_of_its_own_version_whatever_is_released_later(client: Client) -> None:
    file = current_file("rec.js")
    assert file is not None
    assert b"/r/v%s/${" % file.version.encode() in file.content  # names of files are put in when they are asked for
    assert b"datalayer" in file.content
    assert client.get(f"/r/v{file.version}/datalayer.js")["Cache-Control"] == "public, max-age=31536000, immutable"


def test_posting_to_it_is_refused(client: Client) -> None:
    assert client.post("/r/v1/rec.js").status_code == 405


@pytest.mark.django_db
def test_the_tag_carries_the_sites_newest_publishable_key() -> None:
    site = Site.objects.create(slug="shop", name="Shop")
    _, value = create_key(site, "pk")
    create_key(site, "sk")
    page = Template(
        "{% load recsite %}{% rec_script site %}|{% rec_script 'shop' host='https://r.example' pinned=True %}"
    )
    plain, pinned = page.render(Context({"site": site})).split("|")
    assert plain == f'<script async src="/r/v1/rec.js" data-key="{value}"></script>'
    file = current_file("rec.js")
    assert file is not None
    assert f'src="https://r.example/r/v{file.version}/rec.js" integrity="{file.integrity}"' in pinned
    layered = Template("{% load recsite %}{% rec_script site pinned=True datalayer=True %}").render(
        Context({"site": site})
    )
    reader = current_file("datalayer.js")
    assert reader is not None
    link, _, tag = layered.partition("<script")
    assert link == (
        f'<link rel="modulepreload" href="/r/v{reader.version}/datalayer.js" integrity="{reader.integrity}"'
        ' crossorigin="anonymous">'
    )
    assert tag.endswith(f'data-key="{value}" data-datalayer></script>')
    for key in live_keys(site, "pk"):
        revoke(key)
    with pytest.raises(LookupError, match="shop"):
        page.render(Context({"site": site}))
