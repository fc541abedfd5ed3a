"""Where a connection goes: to the ASGI applications of the hot paths, to a WebSocket consumer, else to Django."""

from __future__ import annotations

import os
from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.urls import path, re_path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")
django_application = get_asgi_application()
assert settings.SECRET_KEY  # Django reads it at first use; a web process without it must not start

from recsite.checks import refuse_wrong_settings  # noqa: E402

refuse_wrong_settings()

from features.stream.topic import TopicCheck  # noqa: E402
from recommendations import lifecycle, routing  # noqa: E402  (Django must be set up before its models are imported)
from recsite.server import traces  # noqa: E402
from recsite.server.health import health  # noqa: E402
from recsite.server.lifespan import Lifespan  # noqa: E402
from tracking.collect import service as collecting  # noqa: E402


async def refuse_websocket(scope: Any, receive: Any, send: Any) -> None:
    """Close a WebSocket of an unknown address before it is accepted: the client sees 403."""
    await send({"type": "websocket.close", "code": 1008})


# Django's types know views alone; Channels' URLRouter routes ASGI callables with the same patterns.
http_routes: list[Any] = [
    path("v1/events", collecting.collect_application),  # type: ignore[arg-type]
    *routing.http_routes,
    path("livez", health.livez),  # type: ignore[arg-type]
    path("readyz", health.readyz),  # type: ignore[arg-type]
    re_path(r"", django_application),  # type: ignore[arg-type]
]
websocket_routes: list[Any] = [*routing.websocket_routes, re_path(r"", refuse_websocket)]  # type: ignore[arg-type]

topic_check = TopicCheck()
health.add_check("event_log", topic_check.problem)
health.add_check("recommendations", lambda: None if lifecycle.is_ready() else "is still loading")
lifespan = Lifespan(
    [
        (traces.startup, traces.shutdown),
        (collecting.startup, collecting.shutdown),
        (topic_check.start, topic_check.stop),
        (lifecycle.startup, lifecycle.shutdown),
    ]
)
router = ProtocolTypeRouter(
    {"http": URLRouter(http_routes), "websocket": URLRouter(websocket_routes), "lifespan": lifespan}
)


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Route one connection."""
    await router(scope, receive, send)
