"""Which addresses are fetched: of every special range none, however it is written; of the public ones all."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.feeds.public_address import (
    NOT_PUBLIC,
    SERVICE_PORTS,
    NotFetched,
    checked_address,
    is_public,
    is_web_port,
    shown,
)

PRIVATE = (
    "127.0.0.1", "10.0.0.8", "192.168.1.1", "172.16.0.1", "172.31.255.255", "169.254.169.254", "100.64.0.1", "0.0.0.0",
    "0.1.2.3", "224.0.0.1", "255.255.255.255", "240.0.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1",
    "203.0.113.1", "192.88.99.1",
)  # fmt: skip
OTHERS = (
    "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "feff::1", "ff02::1", "100::1",
    "2001::1", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::1", "2002:5db8:d822::1", "3fff::1",
    "5f00::1", "64:ff9b:1::1", "::ffff:0:10.0.0.1", "2606:2800:220:1:0:5efe:a00:1", "2606:2800:220:1:200:5efe:a00:1",
    "not an address", "",
)  # fmt: skip
PUBLIC = ("93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946", "2a00:1450::1", "64:ff9b::5db8:d822")


@pytest.mark.parametrize("address", [*PRIVATE, *OTHERS])
def test_special_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are(address: str) -> None:
    assert is_public(address)


@given(st.sampled_from([network for network in NOT_PUBLIC if network.version == 4]), st.data())
def test_an_address_inside_another_is_looked_at(network: ipaddress.IPv4Network, data: st.DataObject) -> None:
    inner = network[data.draw(st.integers(0, network.num_addresses - 1))]
    value = int(inner)
    assert not is_public(str(inner))
    for outer in (
        0xFFFF_0000_0000 | value,  # mapped
        value,  # compatible
        0xFFFF_0000_0000_0000 | value,  # translated
        0x64FF9B << 96 | value,  # NAT64
        0x2002 << 112 | value << 80 | 1,  # 6to4
        0x2001 << 112 | (value ^ 0xFFFF_FFFF),  # Teredo
        0x2606_2800 << 96 | 0x5EFE << 32 | value,  # ISATAP
    ):
        assert not is_public(str(ipaddress.IPv6Address(outer)))


@given(st.integers(0, (1 << 32) - 1))
def test_no_private_ipv4_address_of_the_standard_library_is_public(value: int) -> None:
    address = ipaddress.IPv4Address(value)
    if is_public(str(address)):
        assert address.is_global
        assert not any((address.is_multicast, address.is_reserved, address.is_loopback, address.is_unspecified))


@given(st.integers(0, (1 << 128) - 1) | st.integers(0x2000 << 112, (0x4000 << 112) - 1))
def test_no_special_ipv6_address_of_the_standard_library_is_public(value: int) -> None:
    address = ipaddress.IPv6Address(value)
    if is_public(str(address)) and address not in ipaddress.ip_network("64:ff9b::/96"):
        assert address.is_global
        assert not any((address.is_multicast, address.is_site_local, address.sixtofour, address.teredo))


@given(st.sampled_from(PRIVATE), st.sampled_from(["decimal", "hex", "octal", "short", "dot"]))
def test_a_private_address_is_refused_however_it_is_written(address: str, written: str) -> None:
    value = int(ipaddress.IPv4Address(address))
    first = address.partition(".")[0]
    host = {
        "decimal": str(value),
        "hex": hex(value),
        "octal": ".".join(f"0{int(part):o}" for part in address.split(".")),
        "short": f"{first}.{value & 0xFF_FFFF}",
        "dot": f"{address}.",
    }[written]
    with pytest.raises(NotFetched, match="private address"):
        checked_address(f"http://{host}/feed.csv")


@pytest.mark.parametrize(
    "url",
    ["ftp://feed.example/x", "file:///etc/passwd", "https://", "http://[::1", "http://h:99999/", "//feed.example/x",
     "gopher://feed.example:70/_", "http://feed.example/a b", "http://feed.example\\@10.0.0.1/", "http://a\r\nHost: b/",
     "javascript:alert(1)", "", "http:///x", "http://feed.example/" + "x" * 3_000],
)  # fmt: skip
def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(NotFetched, match="is not a web address"):
        checked_address(url)


@pytest.mark.parametrize("port", [0, 1, 22, 25, 81, 445, 1023, *sorted(SERVICE_PORTS)[:6]])
def test_ports_of_other_services_are_refused(port: int) -> None:
    assert not is_web_port(port)
    with pytest.raises(NotFetched, match="port"):
        checked_address(f"http://feed.example:{port}/")


@pytest.mark.parametrize("url", ["https://feed.example/items.csv", "http://user:p%40ss@feed.example:8443/x?y=z#w"])
def test_what_is_one_is_taken(url: str) -> None:
    assert checked_address(url).hostname == "feed.example"


def test_messages_hold_no_password_and_no_query() -> None:
    assert shown("https://user:secret@feed.example/x?token=secret#secret") == "https://feed.example/x"
    with pytest.raises(NotFetched) as refused:
        checked_address("ftp://user:secret@feed.example/x?token=secret")
    assert "secret" not in str(refused.value)
