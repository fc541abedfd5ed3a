"""System checks of the project: what must be set before a process starts."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register, run_checks
from django.core.checks import Warning as CheckWarning
from django.core.exceptions import ImproperlyConfigured


@register("start")
def names_are_known(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Warn of variables that begin like ours and that nothing reads: a misspelt setting is the default in silence."""
    return [
        CheckWarning(f"{name} is not a setting", hint=hint_of(nearest), id="recsite.W001")
        for name, nearest in settings.UNKNOWN_SETTINGS.items()
    ]


def hint_of(nearest: str) -> str:
    """Return what to do about a name that nothing reads."""
    return f"{f'Did you mean {nearest}? ' if nearest else ''}docs/settings.md has all names; remove it otherwise."


def refuse_wrong_settings() -> None:
    """Raise ``ImproperlyConfigured`` with all that the checks of a start find; for processes without a command line."""
    errors = [message for message in run_checks(tags=["start"]) if message.is_serious()]
    if errors:
        raise ImproperlyConfigured("; ".join(f"{error.msg}. {error.hint or ''}".strip() for error in errors))


@register("start")
def secret_key_is_set(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Refuse to start without a secret of one's own."""
    try:
        assert settings.SECRET_KEY
    except ImproperlyConfigured:  # Django's own words name neither the variable nor the remedy
        hint = "Set it, or RECSITE_SECRET_KEY_FILE, to 50 random characters or more."
        return [Error("RECSITE_SECRET_KEY is not set", hint=hint, id="recsite.E001")]
    return []
