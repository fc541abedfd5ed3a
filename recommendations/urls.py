"""The routes of the typed API, for ``recsite/urls.py``; the hot paths stand in ``routing.py``."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from recommendations.api import api

urlpatterns: list[URLPattern | URLResolver] = [path("v1/", api.urls)]
