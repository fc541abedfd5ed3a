"""The admin's site: Unfold's, with every screen that is registered held to the sites that a staff member belongs to."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin import sites
from unfold.apps import BasicAppConfig
from unfold.sites import UnfoldAdminSite


class ConsoleSite(UnfoldAdminSite):  # type: ignore[misc]  # unfold ships no types
    """Registers each screen with ``SiteScoped`` before it, so that none can forget whose rows it shows."""

    def login(self, request: Any, extra_context: dict[str, Any] | None = None) -> Any:
        """Offer the login of the company's provider, where there is one."""
        from django.conf import settings
        from django.urls import reverse
        from django.utils.http import urlencode

        extra = {**(extra_context or {})}
        if settings.OIDC_ISSUER:
            wanted = request.GET.get("next", reverse("admin:index"))
            extra["sso_url"] = f"{reverse('oidc_authentication_init')}?{urlencode({'next': wanted})}"
        return super().login(request, extra)

    def i18n_javascript(self, request: Any, extra_context: dict[str, Any] | None = None) -> Any:
        """Return the texts of scripts in the reader's language."""
        from recsite.backoffice.script_texts import ScriptCatalog

        return ScriptCatalog.as_view()(request)

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Register a screen for one model or several."""
        from unfold.admin import ModelAdmin

        from tracking.staff.scoped import SiteScoped

        base = admin_class or ModelAdmin
        scoped = type(base.__name__, (SiteScoped, base), {"__module__": base.__module__, "__doc__": base.__doc__})
        super().register(model_or_iterable, scoped, **options)


class ConsoleConfig(BasicAppConfig):  # type: ignore[misc]
    """Unfold's application, whose admin site is ours."""

    default = False

    def ready(self) -> None:
        """Put our site in the place of Django's, before any screen is registered."""
        site = ConsoleSite()
        admin.site = site
        sites.site = site
