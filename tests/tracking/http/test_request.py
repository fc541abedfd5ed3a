"""What hot paths read of a request: its client's address, cookies, query, and whether it claims a secret key."""

from __future__ import annotations

from typing import Any

import pytest

from tracking.error_codes import ErrorCode
from tracking.http.request import Refusal, Request, set_cookie


def a_request(headers: dict[str, str] | None = None, **scope: Any) -> Request:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    whole = {"method": "POST", "headers": raw, "client": ("203.0.113.9", 4711), "query_string": b"", **scope}
    return Request(whole, b"", received_at=1.5)


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "198.51.100.1", "203.0.113.9"),  # nobody is trusted: the header is the caller's own word
        (1, "10.0.0.1, 198.51.100.1", "198.51.100.1"),
        (2, "10.0.0.1, 198.51.100.1, 192.0.2.1", "198.51.100.1"),
        (3, "198.51.100.1", "198.51.100.1"),
        (1, "", ""),
    ],
)
def test_the_address_is_what_the_outermost_trusted_proxy_saw(
    settings, proxies: int, forwarded: str, address: str
) -> None:
    settings.TRUSTED_PROXIES = proxies

    assert a_request({"x-forwarded-for": forwarded}).address == address


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("10.0.0.7", "203.0.113.1", "203.0.113.1"),
        ("fd00::7", "203.0.113.1", "203.0.113.1"),
        ("::ffff:10.0.0.7", "203.0.113.1", "203.0.113.1"),
        ("10.0.0.7", "203.0.113.1:40000", "203.0.113.1"),
        ("10.0.0.7", "[2001:db8::1]:40000", "2001:db8::1"),
        ("198.51.100.9", "203.0.113.1", "198.51.100.9"),  # whoever found the port that the proxies have for themselves
        ("198.51.100.9", "198.51.100.9, 203.0.113.1", "198.51.100.9"),
    ],
)
def test_only_the_networks_of_proxies_are_trusted_where_they_are_named(
    settings, peer: str, forwarded: str, address: str
) -> None:
    settings.TRUSTED_PROXIES, settings.TRUSTED_PROXY_NETWORKS = 1, ("10.0.0.0/8", "fd00::/8")
    request = a_request({"x-forwarded-for": forwarded, "x-forwarded-proto": "https"}, client=(peer, 1))
    assert request.address == address
    assert request.is_https is (address != peer)


def test_what_a_server_took_without_being_told_to_is_undone(settings) -> None:
    """uvicorn puts the header's address in place of a local connection's own."""
    settings.TRUSTED_PROXIES = 0
    rewritten = a_request({"x-forwarded-for": "203.0.113.1"}, client=("203.0.113.1", 0))
    assert rewritten.address == "127.0.0.1"
    with_port = a_request({"x-forwarded-for": "203.0.113.1:5"}, client=("203.0.113.1", 5))
    assert with_port.address == "127.0.0.1"


def test_every_header_of_a_chain_counts(settings) -> None:
    settings.TRUSTED_PROXIES = 2
    request = a_request({"x-forwarded-for": "203.0.113.1"})
    request.scope["headers"] = [(b"x-forwarded-for", b"9.9.9.9, 203.0.113.1"), (b"x-forwarded-for", b"10.0.0.2")]
    assert request.address == "203.0.113.1"


def test_the_digest_of_an_address_is_one_for_a_network_of_ipv6() -> None:
    one, same, other = (
        a_request(client=(address, 1)).address_digest() for address in ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1")
    )

    assert one == same != other
    assert "2001" not in one


def test_the_tag_of_a_network_is_of_one_site_and_day() -> None:
    one, same, other = (
        a_request(client=(address, 1)).network_tag("shop") for address in ("9.9.9.1", "9.9.9.254", "9.9.8.1")
    )
    tomorrow = a_request(client=("9.9.9.1", 1))
    tomorrow.received_at_ms += 86_400_000

    assert one == same != other
    assert len({one, a_request(client=("9.9.9.1", 1)).network_tag("other"), tomorrow.network_tag("shop")}) == 3
    assert a_request(client=("::ffff:9.9.9.77", 1)).network_tag("shop") == one


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.1.2.3", "192.168.0.9", "172.31.0.1", "::1", "fd00::1", "", "unix:"]
)
def test_what_is_near_is_of_no_network(address: str) -> None:
    assert a_request(client=(address, 1)).network_tag("shop") is None


def test_a_cookie_is_found_by_its_whole_name() -> None:
    request = a_request({"cookie": "xrec_aid=no; rec_aid=yes=1; other=2"})

    assert request.cookie("rec_aid") == "yes=1"
    assert request.cookie("aid") is None
    assert a_request().cookie("rec_aid") is None


def test_the_last_of_several_query_fields_counts() -> None:
    assert a_request(query_string=b"a=1&a=2&b=").query == {"a": "2", "b": ""}


@pytest.mark.parametrize("query", [b"a=\xff\xfe", b"&".join(b"a=1" for _ in range(60))])
def test_a_query_that_cannot_be_read_is_an_invalid_request(query: bytes) -> None:
    with pytest.raises(Refusal) as error:
        _ = a_request(query_string=query).query

    assert (error.value.status, error.value.code, error.value.field) == (400, ErrorCode.INVALID_REQUEST, "query")


@pytest.mark.parametrize(
    ("headers", "query", "claims"),
    [
        ({"authorization": "Bearer sk_x"}, b"", True),
        ({"authorization": "Bearer ot_x"}, b"", True),
        ({"x-api-key": "sk_x"}, b"", True),
        ({}, b"key=sk_x", True),
        ({"authorization": "Bearer pk_x"}, b"key=pk_x", False),
    ],
)
def test_who_claims_a_secret_key_may_send_more(headers: dict[str, str], query: bytes, claims: bool) -> None:
    assert a_request(headers, query_string=query).presents_secret_key is claims


def test_only_a_well_formed_request_id_is_taken_over() -> None:
    assert a_request({"x-request-id": "abc-12345"}).id == "abc-12345"
    assert len(a_request({"x-request-id": "<script>"}).id) == 16


def test_a_cookie_is_secure_where_the_page_is() -> None:
    name, value = set_cookie("rec_aid", "a", is_secure=True)

    assert name == b"set-cookie"
    assert value.endswith(b"; SameSite=Lax; Secure")
    assert not set_cookie("rec_aid", "a", is_secure=False)[1].endswith(b"Secure")
