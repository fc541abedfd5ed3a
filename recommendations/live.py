"""``/v1/live``: a WebSocket on which an open page hears of new lists the moment they change.

The client says hello (key and ids; never in the URL, where logs would keep them), then subscribes to the lists of its
page. From then on it gets an ``update`` with those lists that differ from what it shows. Nothing is promised about
the number of updates: when a page or its network is slow, only the newest lists are sent.

A token that expires makes the shopper anonymous on an open socket: lists on the page stay, later ones are not personal,
and a ``ready`` with the warning says so. A new hello with a new token ends that.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from typing import Any, Final

import jwt
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from recommendations.deadline import Deadline
from recommendations.exceptions import InvalidQuery
from recommendations.lists import (
    Page,
    UnknownPlacement,
    asks_of,
    check_any_known,
    item_ids_of,
    make_lists,
    problem_of,
    reply_of,
    signer,
)
from recommendations.live_hub import LiveHub, hub
from recommendations.metrics import LIVE_CLOSED, LIVE_UPDATES
from recommendations.payloads import Hello, LiveUpdate, Ping, Subscribe, encode, parse_live
from recommendations.rec_ids import InvalidRecId, digest_of
from recommendations.serving_site import SiteServing, state_of
from recommendations.shoppers import read_shopper
from tracking.edge import Refusal, Request
from tracking.identity import ANONYMOUS_COOKIE, CLOCK_LEEWAY_S, Identity, resolve
from tracking.sites import KeyInfo
from tracking.snapshots import SnapshotMissing

logger = logging.getLogger(__name__)

MAX_MESSAGE_BYTES: Final = 4 * 1024
MESSAGES_A_SECOND: Final = 10.0
HELLO_WITHIN_S: Final = 5.0
SEND_WITHIN_S: Final = 20.0
CLOSE_WITHIN_S: Final = 1.0
POLICY_VIOLATION, TOO_BIG, RESTARTING, TRY_LATER = 1008, 1009, 1012, 1013


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
        self.proof_until = math.inf
        self._hello = Hello()
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
        arrived_at = hub()
        await self.accept()
        if not arrived_at.arrive(self.address):
            await self.shut(TRY_LATER, "too many sockets from this address")
            return
        self._hub = arrived_at
        loop = asyncio.get_running_loop()
        self._hello_timer = loop.call_later(HELLO_WITHIN_S, self._hello_is_late)

    async def disconnect(self, code: int) -> None:
        """Forget the page."""
        self._is_closed = True
        if self._hello_timer is not None:
            self._hello_timer.cancel()
        if self._refreshing is not None:
            self._refreshing.cancel()
        self._leave()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Handle what the client says."""
        if self._is_closed:
            return  # it spoke before it heard of it
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
                await self._subscribe(message)
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
        self._leave()
        with contextlib.suppress(TimeoutError):  # who reads nothing will not read this; the server's ping ends it
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await self.close(code=code, reason=reason)

    async def prove_again(self) -> None:
        """Look again whether the token of the hello is believed; without it the shopper is anonymous from here on."""
        if self._key is None:
            return
        self.proof_until = math.inf
        identity = self._resolved(self._key, self._hello)
        if identity.user_id != self._identity.user_id:
            self._become(identity)
            await self._say({"type": "ready", "warnings": list(identity.warnings)})

    async def _greet(self, hello: Hello) -> None:
        """Check key, origin and identity. A second hello on a socket changes the shopper, as after a login."""
        scope = {**self.scope, "method": "GET"}
        request = Request(scope, b"", received_at=time.time())
        key = request.authenticate(hello.key, scope="recommendations")
        identity = self._resolved(key, hello)
        if self._hello_timer is not None:
            self._hello_timer.cancel()
        self._key, self._hello, self._locale = key, hello, hello.lang
        self.site = key.site.slug
        self.key_id = key.id
        self._become(identity)
        await self._say({"type": "ready", "warnings": list(identity.warnings)})
        self.wake("hello")

    def _resolved(self, key: KeyInfo, hello: Hello) -> Identity:
        request = Request({**self.scope, "method": "GET"}, b"", received_at=time.time())
        return resolve(
            key,
            anonymous_id=hello.anonymous_id,
            cookie_anonymous_id=request.cookie(ANONYMOUS_COOKIE),
            user_id=hello.user_id,
            user_token=hello.user_token,
            issue=False,
        )

    def _become(self, identity: Identity) -> None:
        """Be the page of this shopper from now on."""
        assert self._hub is not None  # set when the socket was taken
        assert self._key is not None  # set by the hello
        self._hub.leave(self)
        self._identity = identity
        self.user_keys = tuple(
            name
            for name in (
                f"u:{identity.user_id}" if identity.user_id else "",
                f"a:{identity.anonymous_id}" if identity.anonymous_id else "",
            )
            if name
        )
        is_proved_by_token = identity.user_id is not None and not self._key.is_secret
        self.proof_until = _expires_at(self._hello.user_token) if is_proved_by_token else math.inf
        self._hub.join(self)

    def _leave(self) -> None:
        left, self._hub = self._hub, None
        if left is not None:
            left.leave(self)
            left.depart(self.address)

    async def _subscribe(self, wanted: Subscribe) -> None:
        """Take what the page shows now; raises ``InvalidQuery`` for what cannot be.

        A placement that the site does not have is named and left out; it is sent as soon as it is made in the admin.
        """
        state = state_of(self.site)
        check_any_known(wanted.placements, state)
        asks_of(wanted.placements, state, cart=wanted.cart, skips_unknown=True)
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
        for index, each in enumerate(wanted.placements):
            if each.placement not in state.placements.by_name:
                problem = problem_of(each)
                await self._say_error(problem.error, problem.message, f"placements[{index}].placement")

    async def _refresh(self) -> None:
        """Make lists until nobody asks for newer ones, sending what differs from the page.

        A slot is held while lists are made and not while they are sent: eight slow readers would stop all others.
        """
        while self._causes and not self._is_closed and self._hub is not None:
            try:
                async with self._hub.slots:
                    causes, self._causes = self._causes, set()
                    update = await self._news()
            except Exception:  # an edge: one page's mishap must not end its updates
                logger.exception("live.refresh_failed site=%s", self.site)
                continue
            if update is None:
                continue
            LIVE_UPDATES.labels(min(causes)).inc(len(update.results))
            try:
                await self._say(update)
            except TimeoutError:
                await self.shut(POLICY_VIOLATION, "reads too slowly")

    async def _news(self) -> LiveUpdate | None:
        """Return the lists that differ from what the page shows, or None."""
        if self._key is None:
            return None
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
        if not results:
            return None
        self._version += 1
        return LiveUpdate(results=results, version=self._version)

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


def _expires_at(token: str | None) -> float:
    """Return when a token that was believed a moment ago ends to be, in epoch seconds, with the clocks' leeway."""
    claims = jwt.decode(token or "", options={"verify_signature": False, "verify_exp": False})
    return float(claims["exp"]) + CLOCK_LEEWAY_S
