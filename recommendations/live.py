"""``/v1/live``: a WebSocket on which an open page hears of new lists the moment they change.

The client says hello (key and ids; never in the URL, where logs would keep them), then subscribes to the lists of its
page. From then on it gets an ``update`` with those lists that differ from what it shows. Nothing is promised about
the number of updates: when a page or its network is slow, only the newest lists are sent.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, Final

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from recommendations.deadline import Deadline
from recommendations.exceptions import InvalidQuery
from recommendations.lists import Page, UnknownPlacement, asks_of, item_ids_of, make_lists, reply_of, signer
from recommendations.live_hub import LiveHub, hub
from recommendations.metrics import LIVE_CLOSED, LIVE_UPDATES
from recommendations.payloads import Hello, LiveUpdate, Ping, Subscribe, encode, parse_live
from recommendations.rec_ids import InvalidRecId, digest_of
from recommendations.serving_site import SiteServing, state_of
from recommendations.shoppers import read_shopper
from tracking.edge import Refusal, Request
from tracking.identity import ANONYMOUS_COOKIE, Identity, resolve
from tracking.sites import KeyInfo
from tracking.snapshots import SnapshotMissing

logger = logging.getLogger(__name__)

MAX_MESSAGE_BYTES: Final = 4 * 1024
MESSAGES_A_SECOND: Final = 10.0
HELLO_WITHIN_S: Final = 5.0
SEND_WITHIN_S: Final = 20.0
POLICY_VIOLATION, TOO_BIG, RESTARTING = 1008, 1009, 1012


class LiveConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # channels ships no type information
    """One socket. It uses no channel layer: who is concerned is known in this process (``live_hub``)."""

    channel_layer_alias = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.site = ""
        self.user_keys: tuple[str, ...] = ()
        self.address = ""
        self.key_id: int | str = 0
        self.placement_names: frozenset[str] = frozenset()
        self._key: KeyInfo | None = None
        self._identity = Identity(anonymous_id=None, user_id=None)
        self._locale: str | None = None
        self._wanted = Subscribe()
        self._shown: dict[str, tuple[str, ...]] = {}  # placement -> item ids on the page
        self._digests: dict[str, int] = {}  # placement -> digest of what the page said it shows
        self._version = 0
        self._causes: set[str] = set()
        self._refreshing: asyncio.Task[None] | None = None
        self._hello_timer: asyncio.TimerHandle | None = None
        self._tokens = MESSAGES_A_SECOND
        self._refilled_at = time.monotonic()
        self._is_closed = False
        self._hub: LiveHub | None = None

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Handle a message without Channels' look at database connections, which costs a thread hop: we use none."""
        handlers = {
            "websocket.connect": self.websocket_connect,
            "websocket.receive": self.websocket_receive,
            "websocket.disconnect": self.websocket_disconnect,
        }
        await handlers[message["type"]](message)

    async def connect(self) -> None:
        """Take the socket; who it is for is said in the hello."""
        request = Request({**self.scope, "method": "GET"}, b"", received_at=time.time())
        self.address = request.address_digest()
        self._hub = hub()
        await self.accept()
        if not self._hub.has_room_for(self.address):
            await self.shut(POLICY_VIOLATION, "too many sockets from this address")
            return
        loop = asyncio.get_running_loop()
        self._hello_timer = loop.call_later(HELLO_WITHIN_S, self._hello_is_late)

    async def disconnect(self, code: int) -> None:
        """Forget the page."""
        self._is_closed = True
        if self._hello_timer is not None:
            self._hello_timer.cancel()
        if self._refreshing is not None:
            self._refreshing.cancel()
        if self._hub is not None:
            self._hub.leave(self)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Handle what the client says."""
        data = text_data.encode() if text_data is not None else bytes_data or b""
        if len(data) > MAX_MESSAGE_BYTES:
            await self.shut(TOO_BIG, f"a message has at most {MAX_MESSAGE_BYTES} bytes")
            return
        if not self._may_speak():
            await self.shut(POLICY_VIOLATION, f"at most {MESSAGES_A_SECOND:g} messages a second")
            return
        try:
            message = parse_live(data)
            if isinstance(message, Hello):
                await self._greet(message)
            elif isinstance(message, Ping):
                await self._say({"type": "pong"})
            elif self._key is None:
                raise Refusal(401, "missing_key", "say hello with a key first", field="key")
            else:
                self._subscribe(message)
        except UnknownPlacement as error:
            await self._say_error("unknown_placement", error.reason, error.field)
        except InvalidQuery as error:
            await self._say_error("invalid_request", f"{error.field} {error.reason}", error.field)
        except Refusal as refusal:
            await self._say_error(refusal.code, refusal.message, refusal.field)
            if refusal.status in (401, 403):
                await self.shut(POLICY_VIOLATION, refusal.code)
        except SnapshotMissing as error:
            await self._say_error("not_now", str(error), "")
            await self.shut(RESTARTING, "starting")

    def wake(self, cause: str) -> None:
        """Make the lists anew; while that is under way, once more afterwards, however often it was asked."""
        if self._is_closed or not self._wanted.placements:
            return
        self._causes.add(cause)
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._refresh(), name="live-refresh")

    def shows_any_gone(self, serving: SiteServing) -> bool:
        """Return whether an item on the page can no longer be had."""
        recommendable = serving.shelf.catalogue.recommendable
        return any(not recommendable(item_id) for shown in self._shown.values() for item_id in shown)

    async def shut(self, code: int, reason: str) -> None:
        """Close the socket from our side."""
        if self._is_closed:
            return
        self._is_closed = True
        LIVE_CLOSED.labels(str(code)).inc()
        if self._hub is not None:
            self._hub.leave(self)
        await self.close(code=code, reason=reason)

    async def _greet(self, hello: Hello) -> None:
        """Check key, origin and identity. A second hello on a socket changes the shopper, as after a login."""
        scope = {**self.scope, "method": "GET"}
        request = Request(scope, b"", received_at=time.time())
        key = request.authenticate(hello.key, scope="recommendations")
        identity = resolve(
            key,
            anonymous_id=hello.anonymous_id,
            cookie_anonymous_id=request.cookie(ANONYMOUS_COOKIE),
            user_id=hello.user_id,
            user_token=hello.user_token,
            issue=False,
        )
        if self._hello_timer is not None:
            self._hello_timer.cancel()
        assert self._hub is not None  # set when the socket was taken
        self._hub.leave(self)
        self._key, self._identity, self._locale = key, identity, hello.lang
        self.site = key.site.slug
        self.key_id = key.id
        self.user_keys = tuple(
            name
            for name in (
                f"u:{identity.user_id}" if identity.user_id else "",
                f"a:{identity.anonymous_id}" if identity.anonymous_id else "",
            )
            if name
        )
        self._hub.join(self)
        await self._say({"type": "ready", "warnings": list(identity.warnings)})
        self.wake("hello")

    def _subscribe(self, wanted: Subscribe) -> None:
        """Take what the page shows now; raises ``InvalidQuery`` for what cannot be."""
        asks_of(wanted.placements, state_of(self.site), cart=wanted.cart)
        names = [each.placement for each in wanted.placements]
        if len(set(names)) < len(names):
            raise InvalidQuery(field="placements", reason="names a placement twice; an update could not say which")
        self._wanted = wanted
        self.placement_names = frozenset(names)
        self._shown = {name: items for name, items in self._shown.items() if name in self.placement_names}
        self._digests = {}
        for name, rec_id in wanted.seen.items():
            try:
                said = signer().read(rec_id, site=self.site)
            except InvalidRecId:
                continue  # an old secret, or another installation: the list is sent anew
            if said.placement == name:
                self._digests[name] = said.digest
                self._shown.pop(name, None)
        self.wake("subscribe")

    async def _refresh(self) -> None:
        """Make lists until nobody asks for newer ones, sending what differs from the page."""
        assert self._hub is not None  # a page that is woken has joined
        while self._causes and not self._is_closed:
            async with self._hub.slots:
                causes, self._causes = self._causes, set()
                try:
                    await self._push(causes)
                except TimeoutError:
                    await self.shut(POLICY_VIOLATION, "reads too slowly")
                except Exception:  # an edge: one page's mishap must not end its updates
                    logger.exception("live.refresh_failed site=%s", self.site)

    async def _push(self, causes: set[str]) -> None:
        assert self._key is not None  # subscribing needs a hello
        deadline = Deadline.after(float(settings.BUDGET_MS))
        state = state_of(self.site)
        asks = asks_of(self._wanted.placements, state, cart=self._wanted.cart, skips_unknown=True)
        page = Page(site=self._key.site, state=state, asks=asks, locale=self._locale)
        reading = await read_shopper(self.site, self._identity, deadline=deadline)
        made = await make_lists(page, reading, deadline=deadline)
        shelf = state.serving.shelf
        now_s = int(time.time())
        results = []
        for each in made:
            name, items = each.ask.placement.name, item_ids_of(each, shelf)
            if name in self._shown:
                is_same = self._shown[name] == items
            else:
                is_same = name in self._digests and self._digests[name] == digest_of(items)
            self._shown[name] = items
            if not is_same:
                results.append(reply_of(each, page, reading.shopper, now_s=now_s))
        self._digests = {}
        if results:
            self._version += 1
            LIVE_UPDATES.labels(min(causes)).inc(len(results))
            await self._say(LiveUpdate(results=results, version=self._version))

    async def _say(self, payload: object) -> None:
        """Send, waiting for a slow reader only so long; meanwhile newer lists replace older ones."""
        if self._is_closed:
            return
        async with asyncio.timeout(SEND_WITHIN_S):
            await self.send(text_data=encode(payload).decode())

    async def _say_error(self, error: str, message: str, field: str) -> None:
        await self._say({"type": "error", "error": error, "message": message, "field": field})

    def _may_speak(self) -> bool:
        now = time.monotonic()
        self._tokens = min(MESSAGES_A_SECOND, self._tokens + (now - self._refilled_at) * MESSAGES_A_SECOND)
        self._refilled_at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def _hello_is_late(self) -> None:
        self._late = asyncio.create_task(self.shut(POLICY_VIOLATION, f"say hello within {HELLO_WITHIN_S:g} s"))
