"""Who an event is about: which tokens are valid, which anonymous id counts, who is a program."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest

from tests.tracking.conftest import a_site
from tracking.access import identity
from tracking.access.identity import Claim, new_anonymous_id, resolve, sign_token, verify_token
from tracking.access.sites import KeyInfo, KeyKind

SITE = a_site()
NOW = 1_700_000_000
BODY, COOKIE = "b" * 32, "c" * 32


@pytest.fixture(autouse=True)
def _fresh_cache(monkeypatch) -> None:
    monkeypatch.setattr(identity, "_valid_claims", identity._TokenCache(10))


def a_key(kind: KeyKind = "pk") -> KeyInfo:
    return KeyInfo(id=1, kind=kind, prefix=kind, site=SITE, expires_at=None)


def signed(secret: str = SITE.token_secret, algorithm: str = "HS256", **changes: Any) -> str:
    now = int(time.time())
    claims = {"sub": "42", "site": "shop", "iat": now, "exp": now + 600, **changes}
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, secret, algorithm=algorithm)


def test_a_token_of_the_shops_server_is_valid_again_and_again() -> None:
    token = sign_token(SITE.token_secret, site="shop", user_id="42")
    assert [verify_token(SITE, token) for _ in range(3)] == [Claim(user_id="42")] * 3


@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        ({"exp": int(time.time()) - 60}, "user_token_expired"),
        ({"exp": int(time.time()) + 86_400}, "user_token_too_long"),
        ({"site": "other"}, "user_token_wrong_site"),
        ({"site": None}, "user_token_invalid"),
        ({"exp": None}, "user_token_invalid"),
        ({"iat": None}, "user_token_invalid"),
        ({"sub": None}, "user_token_invalid"),
        ({"sub": ""}, "user_token_invalid"),
        ({"sub": "x" * 129}, "user_token_invalid"),
        ({"sub": "a\0b"}, "user_token_invalid"),
        ({"iat": int(time.time()) + 3_600}, "user_token_invalid"),
        ({"secret": "f" * 48}, "user_token_invalid"),
        ({"algorithm": "HS512", "secret": "t" * 64}, "user_token_invalid"),
    ],
)
def test_other_tokens_are_not_valid_and_say_why(changes: dict[str, Any], warning: str) -> None:
    assert verify_token(SITE, signed(**changes)) == Claim(warning=warning)


@pytest.mark.parametrize(
    "token", ["x", "a.b.c", "é" * 50, "." * 4096, jwt.encode({"sub": "42"}, None, algorithm="none")]
)
def test_nonsense_is_not_valid(token: str) -> None:
    assert verify_token(SITE, token) == Claim(warning="user_token_invalid")


def test_a_token_of_one_site_proves_nothing_for_another() -> None:
    other = a_site(slug="other", token_secret="o" * 48)
    assert verify_token(other, signed()) == Claim(warning="user_token_invalid")


def test_a_remembered_token_expires_and_a_new_secret_forgets_it(monkeypatch) -> None:
    token = signed()
    assert verify_token(SITE, token).user_id == "42"
    assert verify_token(a_site(token_secret="n" * 48), token) == Claim(warning="user_token_invalid")
    later = time.time() + 700
    monkeypatch.setattr(identity.time, "time", lambda: later)
    assert verify_token(SITE, token) == Claim(warning="user_token_expired")


def test_the_memory_of_tokens_is_bounded() -> None:
    for number in range(30):
        verify_token(SITE, sign_token(SITE.token_secret, site="shop", user_id=str(number)))
    assert len(identity._valid_claims._seen) == 10


def test_a_token_of_another_user_is_not_valid() -> None:
    who = resolve(a_key(), anonymous_id=BODY, user_id="43", user_token=signed())
    assert (who.user_id, who.user_key, who.warnings) == (None, f"a:{BODY}", ("user_token_mismatch",))


def test_a_claimed_user_without_a_token_stays_anonymous() -> None:
    who = resolve(a_key(), anonymous_id=BODY, user_id="42")
    assert (who.is_verified, who.user_key, who.warnings) == (False, f"a:{BODY}", ("user_token_missing",))


def test_a_secret_key_vouches_by_itself() -> None:
    who = resolve(a_key("sk"), anonymous_id=BODY, user_id="42")
    assert (who.user_key, who.anonymous_id, who.warnings) == ("u:42", BODY, ())


@pytest.mark.parametrize(
    ("body", "cookie", "expected"),
    [(BODY, COOKIE, BODY), (None, COOKIE, COOKIE), ("short", COOKIE, COOKIE), ("bad id ".ljust(20), "no;", None)],
)
def test_the_bodys_anonymous_id_counts_before_the_cookies(body: str | None, cookie: str, expected: str | None) -> None:
    who = resolve(a_key(), anonymous_id=body, cookie_anonymous_id=cookie, issue=False)
    assert who.anonymous_id == expected


def test_an_issued_id_has_128_bits_and_never_repeats() -> None:
    issued = {new_anonymous_id() for _ in range(1000)}
    assert len(issued) == 1000
    assert all(len(value) == 32 for value in issued)


@pytest.mark.parametrize("user_id", ["undefined", "NULL", " guest ", "0", '"null"', "[object Object]", "NaN"])
def test_an_id_that_stands_for_nobody_joins_nobody(user_id: str) -> None:
    of_server = resolve(a_key("sk"), anonymous_id=BODY, user_id=user_id)
    of_page = resolve(a_key("pk"), anonymous_id=BODY, user_token=signed(sub=user_id))

    assert [of_server.user_id, of_page.user_id] == [None, None]
    assert of_server.warnings == of_page.warnings == ("user_id_placeholder",)


@pytest.mark.parametrize("user_id", ["00", "guest-7", "nullable", "10", "userid42"])
def test_an_id_that_only_looks_like_a_placeholder_is_a_user(user_id: str) -> None:
    assert resolve(a_key("sk"), user_id=user_id).user_id == user_id
