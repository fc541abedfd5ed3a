"""Django's own pages. The hot paths and WebSockets are routed beside Django, in ``asgi.py``."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.i18n import set_language

from recsite.backoffice.second_factor import second_factor
from recsite.server.metrics import metrics_view

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/second-factor/", second_factor, name="second-factor"),
    path("admin/language/", set_language, name="set_language"),
    path("admin/", admin.site.urls),
    path("", include("tracking.urls")),
    path("", include("recommendations.urls")),
    path("metrics", metrics_view, name="metrics"),
]
if settings.OIDC_ISSUER:
    urlpatterns.insert(0, path("admin/sso/", include("mozilla_django_oidc.urls")))
if settings.DEMO:
    urlpatterns.append(path("", include("recsite.demo.urls")))
