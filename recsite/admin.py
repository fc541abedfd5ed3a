"""Django looks for the admin screens of the project here."""

from recsite.backoffice import audit_log, members

__all__ = ["audit_log", "members"]
