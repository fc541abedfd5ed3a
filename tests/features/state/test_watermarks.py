"""Event time: clocks that run ahead move nothing, and imports have a clock of their own."""

from __future__ import annotations

import pytest

from features.state import watermarks
from tests.features.making import NOW_MS


@pytest.mark.parametrize(
    ("newest_ms", "received_at_ms", "appended_at_ms", "expected"),
    [
        (NOW_MS, NOW_MS + 5, NOW_MS + 9, NOW_MS),
        (NOW_MS + 10**6, NOW_MS, NOW_MS + 9, NOW_MS),  # the page's clock is ahead
        (NOW_MS + 10**6, NOW_MS + 10**6, NOW_MS, NOW_MS),  # the web server's is, too
        (NOW_MS, NOW_MS + 5, 0, NOW_MS),  # the log says no time
    ],
)
def test_a_watermark_follows_the_slowest_clock(
    newest_ms: int, received_at_ms: int, appended_at_ms: int, expected: int
) -> None:
    marks: watermarks.Watermarks = {}

    watermarks.advance(
        marks, "shop|live", newest_ms=newest_ms, received_at_ms=received_at_ms, appended_at_ms=appended_at_ms
    )
    watermarks.advance(marks, "shop|live", newest_ms=1, received_at_ms=1)

    assert marks == {"shop|live": expected}
    assert watermarks.oldest_accepted_ms(marks, "shop|live", lateness_ms=900) == expected - 900


def test_imports_have_a_clock_of_their_own_and_a_site_goes_by_the_later() -> None:
    assert watermarks.clock_name("shop", "import") != watermarks.clock_name("shop", "browser")
    marks = {watermarks.clock_name("shop", "import"): 5, watermarks.clock_name("shop", "server"): 9}
    assert watermarks.site_time_ms(marks, "shop") == 9
    assert watermarks.site_time_ms(marks, "other") == 0
