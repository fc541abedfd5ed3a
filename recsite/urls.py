"""Django's own pages. The hot paths and WebSockets are routed beside Django, in ``asgi.py``."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from recsite.backoffice.second_factor import second_factor
from recsite.server.metrics import metrics_view

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/second-factor/", second_factor, name="second-factor"),
    path("admin/", admin.site.urls),
    path("", include("tracking.urls")),
    path("", include("recommendations.urls")),
    path("metrics", metrics_view, name="metrics"),
]
if settings.DEMO:
    urlpatterns.append(path("", include("recsite.demo.urls")))
