"""All of Recsite with a shop on the same origin, whose users' lists say whose they are.

``/shop/page`` is a tab of the shop, ``/shop/tabs`` a window with two of them. ``/shop/token`` signs what the shop's
server would, valid or expired. ``/shop/touch`` does what the stream worker does after a view: it writes the state of
one user and announces it; its items are that user's alone, so every list that shows one was made for them. Run by
uvicorn, with the environment of an installation that ``python -m benchmarks.page.sequences_app`` has set up.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")
django.setup()

from django.core.management import call_command  # noqa: E402  (Django must be set up before its models are imported)

from features import keys  # noqa: E402
from features.models import Item  # noqa: E402
from features.state import states  # noqa: E402
from features.store import connections  # noqa: E402
from features.stream.notify import announce_changed  # noqa: E402
from recommendations.models import Placement  # noqa: E402
from recsite.asgi import application as recsite_application  # noqa: E402
from tracking.access import sites  # noqa: E402
from tracking.access.identity import sign_token  # noqa: E402
from tracking.models import Site  # noqa: E402

HERE: Final = Path(__file__).parent
WINDOWS: Final = 8
ITEMS: Final = 100
"""Of each window: windows that walk at the same time share neither users nor items."""

EXPIRED_S: Final = -3_600
KEPT: Final = 4
"""Items in the list of one user."""


def set_up() -> tuple[str, str]:
    """Make a site with items and one placement of the user's own past; return its slug and publishable key."""
    call_command("migrate", verbosity=0)
    site, key = sites.ensure_default_site()
    Site.objects.update(requests_per_minute=0, address_requests_per_minute=0, events_per_minute=0)
    Item.objects.bulk_create(
        Item(
            site=site,
            item_id=f"i{number}",
            title=f"Item {number}",
            url=f"/p/i{number}",
            price_minor=900,
            currency="EUR",
        )
        for number in range(WINDOWS * ITEMS)
    )
    Placement.objects.create(site=site, name="past", strategy="recently_viewed", size=KEPT)
    return site.slug, key


def touch(user_key: str, seen: list[str]) -> None:
    """Let a user have seen these items, newest first, as the stream worker would write it down and announce it."""
    site, _ = _site()
    now_ms = int(time.time() * 1000)
    recents = {f"v{each}": now_ms - age * 1000 for age, each in enumerate(seen)}
    session = states.SessionState(newest_ms=now_ms, recents=dict(recents))
    profile = states.ProfileState(newest_ms=now_ms, sessions=[[now_ms - 60_000, now_ms, len(seen)]], recents=recents)
    partition = keys.partition_of(site, user_key, connections.partitions())
    client = connections.client()
    client.set(keys.session(partition, site, user_key), states.encode(session), ex=3_600)
    client.set(keys.profile(partition, site, user_key), states.encode(profile), ex=3_600)
    announce_changed(client, {site: [user_key]})


def token(user_id: str, *, is_valid: bool) -> dict[str, str]:
    """Return what the shop's server signs."""
    site, _ = _site()
    secret = sites.keys.current().by_slug[site].token_secret
    return {"token": sign_token(secret, site=site, user_id=user_id, **({} if is_valid else {"ttl_s": EXPIRED_S}))}


def _site() -> tuple[str, str]:
    return os.environ["SEQUENCES_SITE"], os.environ["SEQUENCES_KEY"]


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answer the shop's addresses; everything else is Recsite's."""
    path = scope.get("path", "")
    if scope["type"] != "http" or not path.startswith("/shop/"):
        await recsite_application(scope, receive, send)
        return
    asked = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
    kind = b"application/json"
    if path == "/shop/touch":
        await asyncio.to_thread(touch, asked["user"], asked["items"].split(","))
        body = b"{}"
    elif path == "/shop/token":
        body = json.dumps(token(asked["user"], is_valid=asked["valid"] == "1")).encode()
    else:
        name = {"/shop/page": "tab.html", "/shop/tabs": "tabs.html", "/shop/walk.js": "walk.js"}[path]
        body = (HERE / "sequences" / name).read_bytes().replace(b"{{ key }}", _site()[1].encode())
        kind = b"text/javascript" if name.endswith(".js") else b"text/html; charset=utf-8"
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), (b"cache-control", b"max-age=3600")]
    if kind == b"application/json":
        headers[2] = (b"cache-control", b"no-store")
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    print(*set_up())
