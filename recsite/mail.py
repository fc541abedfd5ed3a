"""Where e-mail goes: a server by URL, or nowhere, and then whoever sends is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

SCHEMES: Final = ("smtp", "smtp+starttls", "smtps")
TIMEOUT_S: Final = 20
_PORTS: Final = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


class NoServer(BaseEmailBackend):
    """The backend while no server is set."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Raise: nothing is sent, and nobody shall think that it was."""
        raise OSError("no mail server is set; set RECSITE_EMAIL_URL, such as smtp+starttls://user:password@host:587")


def mail_settings(url: str | None) -> dict[str, Any]:
    """Return Django's settings of e-mail for ``smtp://``, ``smtp+starttls://`` or ``smtps://user:password@host:port``."""
    if url is None:
        return {"EMAIL_BACKEND": "recsite.mail.NoServer"}
    parts = urlsplit(url)
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": parts.port or _PORTS[parts.scheme],
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_TLS": parts.scheme == "smtp+starttls",
        "EMAIL_USE_SSL": parts.scheme == "smtps",
        "EMAIL_TIMEOUT": TIMEOUT_S,
    }
