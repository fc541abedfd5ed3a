"""System checks of the project: what must be set before a process starts."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured


@register()
def secret_key_is_set(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Refuse to start without a secret of one's own."""
    try:
        assert settings.SECRET_KEY
    except ImproperlyConfigured:  # Django's own words name neither the variable nor the remedy
        hint = "Set it, or RECSITE_SECRET_KEY_FILE, to 50 random characters or more."
        return [Error("RECSITE_SECRET_KEY is not set", hint=hint, id="recsite.E001")]
    return []
