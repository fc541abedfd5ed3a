"""A token says what it opens, and only we can have said it."""

from __future__ import annotations

import pytest

from tracking.access.tokens import LETTERS, TOKEN_PREFIX, Token, make_token, read_token

NOW = 1_700_000_000.9


def test_a_token_says_what_it_was_made_with() -> None:
    value = make_token(client_id=7, scopes=["events", "users"], ttl_s=900, now=NOW)

    assert value.startswith(TOKEN_PREFIX)
    assert read_token(value) == Token(
        client_id=7, issued_at=1_700_000_000.0, expires_at=1_700_000_900.0, scopes=frozenset({"events", "users"})
    )


@pytest.mark.parametrize("at", [4, -1, -40])
def test_a_changed_character_makes_it_none_of_ours(at: int) -> None:
    value = make_token(client_id=7, scopes=["events"], ttl_s=900, now=NOW)
    other = "A" if value[at] != "A" else "B"
    changed = value[:at] + other + value[at:][1:]

    assert read_token(changed) is None


def test_a_token_of_another_installation_is_none_of_ours(settings) -> None:
    value = make_token(client_id=7, scopes=["events"], ttl_s=900, now=NOW)
    settings.SECRET_KEY = "another" * 10

    assert read_token(value) is None


@pytest.mark.parametrize("value", ["", "ot_", "ot_a.b", "sk_x", "ot_ü.1.2.e.r.s"])
def test_what_is_no_token_is_none(value: str) -> None:
    assert read_token(value) is None


def test_every_scope_of_the_settings_has_a_letter_of_its_own(settings) -> None:
    assert LETTERS.keys() == settings.OAUTH2_PROVIDER["SCOPES"].keys()
    assert len(set(LETTERS.values())) == len(LETTERS)
    with pytest.raises(KeyError):
        make_token(client_id=1, scopes=["everything"], ttl_s=1, now=NOW)
