"""The tag of a network: another one each day, one voice behind all of them, nothing in common for who has no secret."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tracking.contract.network_tag import tag_of_voice, voice_of_network, voice_of_tag

VOICES = st.integers(1, 2**32 - 1)
DAYS = st.integers(0, 40_000)


@given(voice=VOICES, day=DAYS, site=st.text(max_size=9), secret=st.text(max_size=99))
def test_the_voice_is_found_behind_the_tag_of_any_day(voice: int, day: int, site: str, secret: str) -> None:
    tag = tag_of_voice(voice, site=site, day=day, secret=secret)

    assert 1 <= tag < 2**32
    assert voice_of_tag(tag, site=site, day=day, secret=secret) == voice


@given(tag=VOICES, day=DAYS)
def test_what_an_older_version_wrote_is_somebody_of_their_own(tag: int, day: int) -> None:
    voice = voice_of_tag(tag, site="shop", day=day, secret="s")

    assert 1 <= voice < 2**32
    assert tag_of_voice(voice, site="shop", day=day, secret="s") == tag


@given(st.sets(VOICES, max_size=50), DAYS)
def test_no_two_networks_have_one_tag(voices: set[int], day: int) -> None:
    assert len({tag_of_voice(one, site="shop", day=day, secret="s") for one in voices}) == len(voices)


def test_where_nothing_would_stand_for_nobody_something_else_does() -> None:
    """Zero means none, so the permutation leaves it out: for every day there is one voice whose tag it would be."""
    for day in range(300):
        hidden = voice_of_tag(1, site="shop", day=day, secret="s")
        assert hidden
        assert tag_of_voice(hidden, site="shop", day=day, secret="s") == 1


def test_tags_of_two_days_have_no_more_in_common_than_chance() -> None:
    """Of 4,000 networks: neither the tags, nor their halves, nor the differences between days repeat."""
    voices = [voice_of_network(f"10.{one >> 8}.{one & 255}.0/24", site="shop", secret="s") for one in range(4_000)]
    first, second = ([tag_of_voice(one, site="shop", day=day, secret="s") for one in voices] for day in (1, 2))

    assert len({left ^ right for left, right in zip(first, second, strict=True)}) > 3_990
    assert len({(left - right) % 2**32 for left, right in zip(first, second, strict=True)}) > 3_990
    assert sum(left == right for left, right in zip(first, second, strict=True)) < 3
    assert sum(left & 0xFFFF == right & 0xFFFF for left, right in zip(first, second, strict=True)) < 6


def test_sites_and_secrets_have_voices_of_their_own() -> None:
    found = {
        voice_of_network("9.9.9.0/24", site=site, secret=secret) for site in ("one", "other") for secret in ("s", "t")
    }
    assert len(found) == 4
