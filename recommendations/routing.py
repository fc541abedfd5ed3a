"""The routes of serving, for ``recsite/asgi.py``: hot paths and the WebSocket."""

from __future__ import annotations

from django.urls import URLPattern, path

from recommendations.http.recommend import public_application, rank_application, recommend_application
from recommendations.live.consumer import LiveConsumer

http_routes: list[URLPattern] = [
    path("v1/recommendations", recommend_application),  # type: ignore[arg-type]  # ASGI, for Channels' URLRouter
    path("v1/recommendations/<slug:placement>", public_application),  # type: ignore[arg-type]
    path("v1/rank", rank_application),  # type: ignore[arg-type]
]

websocket_routes: list[URLPattern] = [
    path("v1/live", LiveConsumer.as_asgi()),
]
