"""The body that a service gets and the answers that can be used."""

from __future__ import annotations

import json

import pytest

from recommendations.core.types import RequestUser
from recommendations.retrieval.outside.contract import (
    AnswerFormat,
    OutsideSpec,
    Wanted,
    WrongAnswer,
    answers_of,
    body_of,
    signature_of,
)

SPEC = OutsideSpec(site="shop", name="stylist", url="https://recs.example.com/")
SCORED = OutsideSpec(site="shop", name="stylist", url="https://recs.example.com/", answer=AnswerFormat.SCORED)
ROWS = {"a": 0, "b": 1, "c": 2}


def test_a_user_of_two_lists_is_told_once_and_by_key_where_it_may() -> None:
    ada = RequestUser(key="u:ada", session=("a",), segments=frozenset({"new", "b2b"}))
    bob = RequestUser(key="u:bob")
    wanted = [
        Wanted(user=ada, placement="home"),
        Wanted(user=bob, placement="home"),
        Wanted(user=ada, placement="cart", cart=("a",)),
    ]

    silent = json.loads(body_of(SPEC, wanted))
    named = json.loads(body_of(OutsideSpec(site="s", name="n", url=SPEC.url, sends_ids=True), wanted))

    assert silent["users"] == [{"session": ["a"], "segments": ["b2b", "new"]}, {}]
    assert [each["user"] for each in silent["lists"]] == [0, 1, 0]
    assert silent["lists"][2] == {"user": 0, "placement": "cart", "limit": 100, "cart": ["a"]}
    assert [each["key"] for each in named["users"]] == ["u:ada", "u:bob"]


def test_a_signature_depends_on_secret_body_and_time() -> None:  # printf '1.{}' | openssl dgst -sha256 -hmac s
    made = {signature_of(*each, now_s=at) for each in (("s", b"{}"), ("t", b"{}"), ("s", b"[]")) for at in (1, 2)}

    assert len(made) == 6
    assert "t=1,v1=b253639bcd705ed1cda3073f66104f16988bd40272584dea7d0d345ae93e61cc" in made


def test_lists_are_read_in_the_order_of_the_question() -> None:
    found, n_unknown = answers_of(SPEC, b'{"lists": [["b", "x", "a"], []]}', n_lists=2, row_of=ROWS.get)

    assert [each.rows.tolist() for each in found] == [[1, 0], []]
    assert found[0].scores.tolist() == [1.0, 0.5]
    assert n_unknown == 1


@pytest.mark.parametrize(
    ("spec", "answer", "says"),
    [
        (SPEC, b"", "not what the format 'ids' says"),
        (SPEC, b'{"items": []}', "missing required field `lists`"),
        (SPEC, b'{"lists": [[1]]}', "Expected `str`, got `int`"),
        (SPEC, b'{"lists": [["\xff"]]}', "not what the format"),
        (SPEC, b'{"lists": [["a"], ["b"]]}', "has 2 lists; 1 were asked for"),
        (SCORED, b'{"lists": [["a"]]}', "Expected `object`, got `str`"),
        (SCORED, b'{"lists": [[{"item_id": "a", "score": 1e99}]]}', "a score is too large"),
        (SCORED, b'{"lists": [[{"item_id": "a", "score": NaN}]]}', "not what the format 'scored' says"),
    ],
)
def test_what_cannot_be_used_is_said(spec: OutsideSpec, answer: bytes, says: str) -> None:
    with pytest.raises(WrongAnswer, match=says):
        answers_of(spec, answer, n_lists=1, row_of=ROWS.get)
