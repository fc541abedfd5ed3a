"""Announcements name users by site; what is traced stands beside them, where older listeners find nobody."""

from __future__ import annotations

from features.stream.notify import TRACES, traced_users, traces_of

TRACEPARENT = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
ANNA, BOB = ("shop", "u:anna with a blank"), ("shop", "a:" + "b" * 32)


def test_a_trace_is_found_again_by_its_user_and_only_where_something_changed() -> None:
    lines = traces_of([(ANNA, TRACEPARENT), (BOB, TRACEPARENT)], [ANNA])

    assert traced_users({"shop": [ANNA[1]], TRACES: lines}) == {ANNA: TRACEPARENT}
    assert traced_users({"shop": [ANNA[1]]}) == {}


def test_no_site_has_the_name_under_which_traces_stand() -> None:
    import re

    from django.core.validators import slug_re

    assert re.match(slug_re, TRACES) is None
