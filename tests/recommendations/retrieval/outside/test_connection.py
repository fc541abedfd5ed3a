"""Addresses at which a service may be asked; what connections do is seen in ``test_source.py``."""

from __future__ import annotations

import pytest

from features.feeds.public_address import NotFetched
from recommendations.retrieval.outside.connection import service_address


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://recs.example.com/", "by https alone"),
        ("https://127.0.0.1/", "private address"),
        ("https://0x7f000001/", "private address"),
        ("https://recs.example.com:6379/", "no port of a web server"),
        ("https://ada:secret@recs.example.com/", "use the secret instead"),
        ("https://recs.example.com/ü", "characters beside ASCII"),
        ("https://recs.example.com/#top", "a part after #"),
        ("https://recs.example.com/a b", "not a web address"),
        ("recs.example.com", "not a web address"),
    ],
)
def test_an_address_to_which_nothing_is_sent_says_why(url: str, says: str) -> None:
    with pytest.raises(NotFetched, match=says):
        service_address(url)


def test_a_public_https_address_may_be_asked() -> None:
    assert service_address("https://recs.example.com:8443/candidates?shop=1").port == 8443
