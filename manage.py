#!/usr/bin/env python
"""Run Django's administrative commands for Recsite."""

import os
import signal
import sys

UNSET = """RECSITE_SECRET_KEY is not set. `manage.py up` makes one for this machine; elsewhere set it, or
RECSITE_SECRET_KEY_FILE, to 50 random characters or more:
  python -c "import secrets; print(secrets.token_urlsafe(50))\""""


ENDS_CLEANLY = {"up", "demo_shoppers"}
"""Commands that run until they are stopped: SIGTERM or Ctrl-C while they still start ends them with status 0."""


def main() -> None:
    """Hand the command line to Django; a wrong setting ends with its message, not with a traceback."""
    if ENDS_CLEANLY.intersection(sys.argv[1:2]):
        from recsite.server.stop_signals import exit_on_sigterm

        exit_on_sigterm()
        signal.signal(signal.SIGINT, signal.getsignal(signal.SIGTERM))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")
    try:
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line
    except ImportError as error:
        raise SystemExit(
            "Django is not installed here. Run `make install`, then use .venv/bin/python manage.py"
        ) from error
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        raise SystemExit(UNSET if _is_without_secret(error) else f"Configuration: {error}") from error
    except Exception as error:
        raise _without_folder(error) or error from None


def _is_without_secret(error: Exception) -> bool:
    return "SECRET_KEY setting must not be empty" in str(error) or "RECSITE_SECRET_KEY is not set" in str(error)


def _without_folder(error: Exception) -> SystemExit | None:
    """Return what to say of a SQLite file that cannot be opened because its folder is missing; None for all else."""
    from django.conf import settings
    from django.db import OperationalError

    if not isinstance(error, OperationalError) or "unable to open database file" not in str(error):
        return None
    file = settings.DATABASES["default"]["NAME"]
    return SystemExit(
        f"Configuration: the database {str(file)!r} cannot be opened. "
        f"Make its folder (mkdir -p {os.path.dirname(file) or '.'}), name another one by RECSITE_DATA_DIR or "
        "DATABASE_URL, or let `manage.py up` make it"
    )


if __name__ == "__main__":
    main()
