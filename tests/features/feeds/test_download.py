"""A feed's address: public hosts only, within limits."""

from __future__ import annotations

import io
import socket

import pytest

from features.feeds.download import DownloadFailed, download, is_public


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.8", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
     "::1", "fe80::1", "fc00::1", "::ffff:10.0.0.1"],
)  # fmt: skip
def test_private_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)


def test_public_addresses_are() -> None:
    assert is_public("93.184.216.34")
    assert is_public("2606:2800:220:1:248:1893:25c8:1946")


def test_a_private_host_is_never_connected_to(feed_server: str) -> None:
    with pytest.raises(DownloadFailed, match=r"private address 127\.0\.0\.1"):
        download(f"{feed_server}/feed.jsonl", io.BytesIO())


def test_a_name_that_resolves_to_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in ("93.184.216.34", "10.0.0.5")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: answers)

    with pytest.raises(DownloadFailed, match=r"private address 10\.0\.0\.5"):
        download("http://feed.example/items.csv", io.BytesIO())


def test_a_redirect_into_the_private_network_is_refused(feed_server: str, loopback_counts_as_public: None) -> None:
    with pytest.raises(DownloadFailed, match=r"private address 10\.0\.0\.1"):
        download(f"{feed_server}/to/http://10.0.0.1/feed.csv", io.BytesIO())


@pytest.mark.parametrize(
    "url", ["ftp://feed.example/x", "file:///etc/passwd", "https://", "http://[::1", "http://h:99999/"]
)
def test_other_schemes_and_broken_addresses_are_refused(url: str) -> None:
    with pytest.raises(DownloadFailed, match="web address"):
        download(url, io.BytesIO())


def test_size_redirects_and_errors_have_limits(feed_server: str, loopback_counts_as_public: None) -> None:
    with pytest.raises(DownloadFailed, match="larger than"):
        download(f"{feed_server}/feed.jsonl", io.BytesIO(), max_bytes=10)
    with pytest.raises(DownloadFailed, match="redirects more than"):
        download(f"{feed_server}/to//to//to//to//to//to//to//feed.jsonl".replace("//to", "/to", 1), io.BytesIO())
    with pytest.raises(DownloadFailed, match="404"):
        download(f"{feed_server}/nothing", io.BytesIO())


def test_the_address_that_was_looked_at_is_connected_to_whatever_the_name_means_next(
    feed_server: str, loopback_counts_as_public: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that is rebound between the look and the connection (DNS rebinding)."""
    port = int(feed_server.rpartition(":")[2])
    meanings = ["127.0.0.1", "10.0.0.5", "10.0.0.5"]
    real = socket.getaddrinfo

    def rebound(host: str, *args: object, **kwargs: object) -> object:
        return real(meanings.pop(0) if host == "feed.example" else host, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    target = io.BytesIO()
    assert download(f"http://feed.example:{port}/feed.jsonl", target) == len(target.getvalue()) > 0
    assert meanings == ["10.0.0.5", "10.0.0.5"]


@pytest.mark.parametrize(
    "to", ["http://127.1:6379/", "ftp://feed.example/x", "http://[::ffff:10.0.0.1]/", "http://0x0a000001/"]
)
def test_every_hop_is_looked_at(feed_server: str, loopback_counts_as_public: None, to: str) -> None:
    with pytest.raises(DownloadFailed, match=r"port|web address|private address"):
        download(f"{feed_server}/to/{to}", io.BytesIO())


def test_what_drips_ends_at_the_deadline(feed_server: str, loopback_counts_as_public: None) -> None:
    times = iter([0.0, 1.0, 5_000.0])
    with pytest.raises(DownloadFailed, match="did not arrive within"):
        download(f"{feed_server}/feed.jsonl", io.BytesIO(), clock=lambda: next(times, 5_000.0))
