"""What must be set before a process starts."""

from __future__ import annotations

from django.test import override_settings

from recsite.checks import secret_key_is_set


def test_a_missing_secret_names_the_variable_and_the_remedy() -> None:
    assert secret_key_is_set(None) == []
    with override_settings(SECRET_KEY=""):
        (error,) = secret_key_is_set(None)
    assert error.id == "recsite.E001"
    assert "RECSITE_SECRET_KEY" in error.msg
    assert "50 random characters" in (error.hint or "")
