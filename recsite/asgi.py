"""The one map of all routes: hot-path ASGI applications, WebSockets, then Django."""

from __future__ import annotations

import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")
django_application = get_asgi_application()

application = ProtocolTypeRouter({"http": django_application})
