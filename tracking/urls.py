"""Django's addresses of tracking; the collect endpoint is routed beside Django, in ``recsite/asgi.py``."""

from __future__ import annotations

from django.urls import path, re_path

from tracking.http import oauth
from tracking.sdk import views

app_name = "tracking"

urlpatterns = [
    path("r/v1/<str:name>", views.newest, name="sdk"),
    path("o/token/", oauth.ObtainToken.as_view(), name="token"),
    path("o/revoke_token/", oauth.RevokeToken.as_view(), name="revoke-token"),
    re_path(r"^r/v(?P<version>\d+\.\d+\.\d+)/(?P<name>[a-z.]+)$", views.immutable, name="sdk-immutable"),
]
