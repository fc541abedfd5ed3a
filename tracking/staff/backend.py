"""Django asks here whether somebody has a permission: those of their roles count, on any site or on a row's own."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.db.models import Model

from tracking.staff.sites import may, rights_of, site_id_of, site_path


class RoleBackend(BaseBackend):
    """Permissions by membership; without a row, whether there is a site on which somebody may: pages look closer."""

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        """Return whether the permission is held on the row's site, or on any."""
        if isinstance(obj, Model) and site_path(type(obj)) is not None:
            return may(user_obj, perm, site_id_of(obj))
        return any(perm in held for held in rights_of(user_obj).values())

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        """Return whether there is any permission of an application."""
        return any(one.startswith(f"{app_label}.") for held in rights_of(user_obj).values() for one in held)
