"""The shared edge of the hot paths: keys, origins, CORS, body limits, time-outs, errors."""

from __future__ import annotations

import gzip
import time
import zlib
from typing import Any

import pytest

from tests.tracking.asgi_client import call
from tests.tracking.conftest import PUBLISHABLE, SECRET, SHOP
from tracking.access import sites
from tracking.http import edge
from tracking.http.edge import HotPath, Refusal, Reply, Request, set_cookie


@pytest.fixture(autouse=True)
def _keys(install_keys) -> None:
    install_keys()


async def echo(request: Request) -> Reply:
    key = request.authenticate(request.query.get("body_key"), scope="events")
    return Reply(request.body or b"{}", headers=[(b"x-site", key.site.slug.encode())])


def path(**options: Any) -> HotPath:
    return HotPath(echo, name="test", **{"methods": ("GET", "POST"), **options})


WITH_KEY = {"authorization": f"Bearer {PUBLISHABLE}"}


async def test_the_body_reaches_the_handler_whole() -> None:
    answer = await call(path(), [b"one ", b"two ", b"three"], headers=WITH_KEY)
    assert (answer.status, answer.body) == (200, b"one two three")
    assert answer.header("content-length") == "13"


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"authorization": f"Bearer {PUBLISHABLE}"}, b""),
        ({"authorization": f"bearer  {PUBLISHABLE}"}, b""),
        ({"x-api-key": PUBLISHABLE}, b""),
        ({}, b"body_key=" + PUBLISHABLE.encode()),
        ({}, b"key=" + PUBLISHABLE.encode()),
    ],
)
async def test_the_key_is_found_wherever_it_may_stand(headers: dict[str, str], query: bytes) -> None:
    answer = await call(path(), b"{}", headers=headers, query=query)
    assert (answer.status, answer.header("x-site")) == (200, "shop")


@pytest.mark.parametrize(
    ("headers", "status", "error"),
    [
        ({}, 401, "missing_key"),
        ({"x-api-key": "pk_nobody"}, 401, "unknown_key"),
        ({"x-api-key": SECRET, "origin": SHOP}, 403, "secret_key_in_browser"),
        ({"x-api-key": PUBLISHABLE, "origin": "https://evil.example"}, 403, "origin_not_allowed"),
        ({"x-api-key": PUBLISHABLE, "origin": "null"}, 403, "origin_not_allowed"),
    ],
)
async def test_a_key_that_may_not_be_used_is_refused(headers: dict[str, str], status: int, error: str) -> None:
    answer = await call(path(), b"{}", headers=headers)
    assert (answer.status, answer.json["error"]) == (status, error)
    assert set(answer.json) == {"error", "message", "field"}


@pytest.mark.parametrize("headers", [{}, {"x-api-key": PUBLISHABLE}, {"x-api-key": SECRET}])
@pytest.mark.parametrize(
    "query", [f"key={SECRET}", f"apikey={SECRET}", "key=sk_unknown", "user_token=eyJ", "a=1&access_token=x", "k=%73k_x"]
)
async def test_a_secret_in_the_address_is_refused_whatever_else_is_sent(headers: dict[str, str], query: str) -> None:
    answer = await call(path(), b"{}", headers=headers, query=query.encode())
    assert (answer.status, answer.json["error"]) == (400, "invalid_request")
    assert "Authorization: Bearer" in answer.json["message"]
    assert answer.json["field"] in query
    assert SECRET not in answer.body.decode()


async def test_an_unknown_key_is_not_shown_in_full() -> None:
    answer = await call(path(), b"{}", headers={"x-api-key": "sk_" + "z" * 24})
    assert "z" * 7 not in answer.body.decode()


async def test_a_body_too_large_is_refused_by_its_length_and_by_its_bytes() -> None:
    by_length = await call(path(max_body_bytes=10), b"", headers={"content-length": "11", **WITH_KEY})
    by_bytes = await call(path(max_body_bytes=10), [b"123456", b"789012"], headers=WITH_KEY)
    exactly = await call(path(max_body_bytes=10), [b"12345", b"67890"], headers=WITH_KEY)
    assert (by_length.status, by_bytes.status, exactly.status) == (413, 413, 200)
    assert by_bytes.header("connection") == "close"


async def test_secret_keys_may_send_more() -> None:
    hot_path = path(max_body_bytes=10, max_secret_body_bytes=100)
    assert (await call(hot_path, b"x" * 50, headers={"x-api-key": SECRET})).status == 200
    assert (await call(hot_path, b"x" * 101, headers={"x-api-key": SECRET})).status == 413
    assert (await call(hot_path, b"x" * 50, headers={"x-api-key": PUBLISHABLE})).status == 413


async def test_a_stalled_body_is_refused_in_time() -> None:
    started = time.monotonic()
    answer = await call(path(body_timeout_s=0.05), [b"{"], headers=WITH_KEY, stalls=True)
    assert (answer.status, answer.json["error"]) == (408, "body_timeout")
    assert time.monotonic() - started < 5  # it would stall for ever


@pytest.mark.parametrize("headers", [{"content-encoding": "gzip"}, {}])
async def test_gzip_is_read_with_its_header_and_without(headers: dict[str, str]) -> None:
    answer = await call(path(), gzip.compress(b'{"a":1}'), headers={**headers, **WITH_KEY})
    assert answer.body == b'{"a":1}'


@pytest.mark.slow
async def test_a_gzip_bomb_is_refused_before_it_is_unpacked(monkeypatch) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    sizes: list[int] = []
    inflate = zlib.decompressobj(wbits=31)

    class Watched:
        eof = False

        def decompress(self, data: bytes, most: int) -> bytes:
            sizes.append(most)
            return inflate.decompress(data, most)

    monkeypatch.setattr(edge.zlib, "decompressobj", lambda wbits: Watched())
    answer = await call(path(), bomb, headers={"content-encoding": "gzip", **WITH_KEY})
    assert answer.status == 413
    assert sizes == [65_537]


@pytest.mark.parametrize("body", [b"not gzip", gzip.compress(b"cut short" * 100)[:-12]], ids=["not gzip", "cut short"])
async def test_broken_gzip_is_a_400(body: bytes) -> None:
    answer = await call(path(), body, headers={"content-encoding": "gzip", **WITH_KEY})
    assert (answer.status, answer.json["error"]) == (400, "invalid_gzip")


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({"content-type": "application/x-www-form-urlencoded"}, "unsupported_media_type"),
        ({"content-encoding": "br"}, "unsupported_encoding"),
    ],
)
async def test_what_cannot_be_read_is_a_415(headers: dict[str, str], error: str) -> None:
    answer = await call(path(), b"{}", headers={**headers, **WITH_KEY})
    assert (answer.status, answer.json["error"]) == (415, error)


@pytest.mark.parametrize("content_type", ["text/plain;charset=UTF-8", "application/json", "Application/JSON; x=y"])
async def test_text_and_json_are_read(content_type: str) -> None:
    assert (await call(path(), b"{}", headers={"content-type": content_type, **WITH_KEY})).status == 200


async def test_another_method_is_a_405_that_names_those_that_work() -> None:
    answer = await call(path(methods=("POST",)), method="DELETE")
    assert (answer.status, answer.header("allow")) == (405, "POST, OPTIONS")


async def test_cors_lets_the_shops_page_read_the_answer_and_bring_its_cookie() -> None:
    answer = await call(path(), b"{}", headers={"origin": SHOP, **WITH_KEY})
    assert answer.header("access-control-allow-origin") == SHOP
    assert answer.header("access-control-allow-credentials") == "true"
    assert answer.header("vary") == "origin"


async def test_without_an_origin_there_is_nothing_of_cors() -> None:
    answer = await call(path(), b"{}", headers=WITH_KEY)
    assert not any(name.startswith(b"access-control") for name, _ in answer.headers)


async def test_preflight_answers_for_json_clients() -> None:
    answer = await call(path(), method="OPTIONS", headers={"origin": SHOP})
    assert answer.status == 204
    assert "content-type" in (answer.header("access-control-allow-headers") or "")
    assert answer.header("access-control-allow-origin") == SHOP


@pytest.mark.expects_errors(r"edge\.failed")
async def test_a_mistake_of_ours_is_a_500_whose_id_stands_in_the_log(caplog) -> None:
    async def broken(request: Request) -> Reply:
        raise RuntimeError("a secret detail")

    answer = await call(HotPath(broken, name="test"), b"{}", headers={"x-request-id": "abcdef123456"})
    assert (answer.status, answer.json["error"]) == (500, "internal_error")
    assert "a secret detail" not in answer.body.decode()
    assert "abcdef123456" in answer.json["message"]
    assert "request_id=abcdef123456" in caplog.text
    assert "a secret detail" in caplog.text


async def test_a_refusal_says_when_to_try_again() -> None:
    async def busy(request: Request) -> Reply:
        raise Refusal(503, "unavailable", "the spool is full", retry_after_s=7)

    answer = await call(HotPath(busy, name="test"), b"{}")
    assert (answer.status, answer.header("retry-after")) == (503, "7")


async def test_before_any_key_was_loaded_it_is_a_503(monkeypatch) -> None:
    from tracking.snapshots import snapshot

    monkeypatch.setattr(sites.keys, "_value", snapshot._NOT_LOADED)
    answer = await call(path(), b"{}", headers=WITH_KEY)
    assert (answer.status, answer.json["error"]) == (503, "unavailable")


@pytest.mark.parametrize("given", ["short", "x" * 65, "has space in it", "ünicode-12345"])
async def test_a_malformed_request_id_is_replaced(given: str) -> None:
    answer = await call(path(), b"{}", headers={"x-request-id": given, **WITH_KEY})
    assert answer.header("x-request-id") not in (None, given)


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "198.51.100.1", "203.0.113.7"),  # nobody's word is taken
        (1, "198.51.100.1", "198.51.100.1"),
        (1, "10.9.9.9, 198.51.100.1", "198.51.100.1"),  # the left one is what the client claims
        (2, "10.9.9.9, 198.51.100.1, 10.0.0.1", "198.51.100.1"),
        (2, "198.51.100.1", "198.51.100.1"),
    ],
)
async def test_the_clients_address_is_what_our_proxies_saw(settings, proxies, forwarded, address) -> None:
    settings.TRUSTED_PROXIES = proxies
    seen: list[str] = []

    async def look(request: Request) -> Reply:
        seen.append(request.address)
        return Reply()

    await call(HotPath(look, name="test"), b"", headers={"x-forwarded-for": forwarded})
    assert seen == [address]


async def test_one_ipv6_network_is_one_address() -> None:
    digests: list[str] = []

    async def look(request: Request) -> Reply:
        digests.append(request.address_digest())
        return Reply()

    hot_path = HotPath(look, name="test")
    for client in ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1", "unix:"):
        await call(hot_path, b"", client=client)
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3
    assert "2001" not in digests[0]


async def test_a_query_with_too_many_fields_is_a_400() -> None:
    answer = await call(path(), b"", method="GET", query=b"&".join(b"a=1" for _ in range(100)))
    assert (answer.status, answer.json["error"]) == (400, "invalid_request")


def test_the_cookie_is_first_party_and_secure_on_https() -> None:
    name, value = set_cookie("rec_aid", "abc", is_secure=True)
    assert name == b"set-cookie"
    assert value == b"rec_aid=abc; Max-Age=31536000; Path=/; SameSite=Lax; Secure"
    assert b"Secure" not in set_cookie("rec_aid", "abc", is_secure=False)[1]
