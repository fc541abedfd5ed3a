"""What shops send where they have no user id is nobody's."""

from __future__ import annotations

import pytest

from tracking.contract.placeholders import PLACEHOLDER_USER_IDS, is_placeholder


@pytest.mark.parametrize("user_id", sorted(PLACEHOLDER_USER_IDS))
@pytest.mark.parametrize("form", ["{}", " {} ", '"{}"', "'{}'"])
def test_a_placeholder_is_nobody_in_any_spelling(user_id: str, form: str) -> None:
    assert is_placeholder(form.format(user_id.upper()))


@pytest.mark.parametrize("user_id", ["42", "10", "nullable", "guest-7", "anna"])
def test_an_id_is_somebody(user_id: str) -> None:
    assert not is_placeholder(user_id)
