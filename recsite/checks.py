"""System checks of the project: what must be set before a process starts."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register()
def secret_key_is_set(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Refuse to start without a secret of one's own."""
    if settings.SECRET_KEY:
        return []
    return [
        Error(
            "RECSITE_SECRET_KEY is not set",
            hint="Set it, or RECSITE_SECRET_KEY_FILE, to at least 50 random characters: "
            'python -c "import secrets; print(secrets.token_urlsafe(50))"',
            id="recsite.E001",
        )
    ]
