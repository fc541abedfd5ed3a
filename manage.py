#!/usr/bin/env python
"""Run Django's administrative commands for Recsite."""

import os
import sys

NO_SECRET = """RECSITE_SECRET_KEY is not set. `manage.py up` makes one for this machine; elsewhere set it, or
RECSITE_SECRET_KEY_FILE, to 50 random characters or more:
  python -c "import secrets; print(secrets.token_urlsafe(50))\""""


def main() -> None:
    """Hand the command line to Django; a wrong setting ends with its message, not with a traceback."""
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
        raise SystemExit(NO_SECRET if "SECRET_KEY" in str(error) else f"Configuration: {error}") from error


if __name__ == "__main__":
    main()
