"""A record is a source's by its user key, or by the network of a page that nobody vouches for."""

from __future__ import annotations

from msgspec.structs import replace

from tests.features.making import event, record
from tracking.access.quarantine import comes_from

ONE = replace(record(event("view_item", items=["a"]), anonymous_id="x" * 32), network=5)


def test_a_record_is_of_its_user_and_of_its_network() -> None:
    assert comes_from(ONE, frozenset({5}))
    assert comes_from(ONE, frozenset({ONE.user_key}))
    assert not comes_from(ONE, frozenset({6, "a:b"}))


def test_a_customer_who_logged_in_there_and_a_server_are_not_the_networks() -> None:
    assert not comes_from(replace(ONE, user_id="ann"), frozenset({5}))
    assert not comes_from(replace(ONE, source="server"), frozenset({5}))
    assert comes_from(replace(ONE, user_id="ann"), frozenset({"u:ann"}))
    assert not comes_from(replace(ONE, network=None), frozenset({5}))
