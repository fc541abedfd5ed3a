"""Ids of replies: what they say, and that nobody else can make them."""

from __future__ import annotations

import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from recommendations.core.chance import Chance
from recommendations.serving.rec_ids import InvalidRecId, RecIdSigner, digest_of

SIGNER = RecIdSigner("a secret of fifty characters, as installations have")


def an_id(**changes: object) -> str:
    said = {"site": "shop", "placement": "home", "model_version": "v1", "variant": "live", "now_s": 1_800_000_000}
    return SIGNER.make(**{**said, **changes})  # type: ignore[arg-type]


def test_an_id_says_what_was_put_in() -> None:
    said = SIGNER.read(an_id(rule_ids=(4, 7), digest=99), site="shop")

    assert [said.placement, said.model_version, said.rule_ids, said.digest] == ["home", "v1", (4, 7), 99]
    assert said.chance == ()
    chance = Chance(permille=500, among=200, drawn=(1 << 60) - 1, fixed=1)
    assert Chance(*SIGNER.read(an_id(chance=chance), site="shop").chance) == chance
    longest = an_id(placement="p" * 64, model_version="v" * 64, rule_ids=tuple(range(20)), chance=chance)
    assert len(longest) <= 500


def test_an_id_of_an_earlier_release_is_still_read() -> None:
    old = "r1.mKRzaG9wpGhvbWWidjGkbGl2Zc5rSdIAxAhkgGtVFJgThJIEB2P0nruQ_Dw2Ul8P"

    said = SIGNER.read(old, site="shop")

    assert [said.site, said.placement, said.model_version, said.variant] == ["shop", "home", "v1", "live"]
    assert [said.made_at_s, said.rule_ids, said.digest] == [1_800_000_000, (4, 7), 99]


def test_two_replies_never_share_an_id() -> None:
    assert an_id() != an_id()


@given(st.integers(0, 80), st.characters(min_codepoint=33, max_codepoint=126))
def test_a_changed_id_is_refused(index: int, character: str) -> None:
    good = an_id()
    changed = good[: index % len(good)] + character + good[index % len(good) + 1 :]
    assume(changed != good)

    with pytest.raises(InvalidRecId):
        SIGNER.read(changed, site="shop")


def test_of_all_last_characters_one_is_right() -> None:
    for _ in range(8):
        good = an_id()
        for last in set(string.ascii_letters + string.digits + "-_+/=") - {good[-1]}:
            for changed in (good[:-1] + last, good + last):
                with pytest.raises(InvalidRecId):
                    SIGNER.read(changed, site="shop")


@pytest.mark.parametrize("text", ["", "r1.", "r1.!!!", "r2.abc", "r1." + "A" * 600])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(InvalidRecId):
        SIGNER.read(text, site="shop")


def test_another_installations_and_another_sites_ids_are_refused() -> None:
    with pytest.raises(InvalidRecId):
        RecIdSigner("another secret").read(an_id(), site="shop")
    with pytest.raises(InvalidRecId):
        SIGNER.read(an_id(), site="other")


def test_a_digest_depends_on_items_and_their_order() -> None:
    assert len({digest_of(["a", "b"]), digest_of(["b", "a"]), digest_of(["ab"]), digest_of([])}) == 4
