"""``/v1/live``: a WebSocket on which an open page hears of new lists the moment they change.

The client says hello (key and ids; never in the URL, where logs would keep them), then subscribes to the lists of its
page. From then on it gets an ``update`` with those lists that differ from what it shows. Nothing is promised about
the number of updates: when a page or its network is slow, only the newest lists are sent.

What opened a socket is checked again when it changes or expires. When a user's token is no longer valid, the user is
anonymous from then on: lists on the page stay, later ones are not personal, and a ``ready`` with the warning says so.
When a key or OAuth2 token is no longer valid, the socket is closed. A new hello with a new token prevents both.
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

from recommendations.core.visit import VISIT_FIELDS, Visit
from recommendations.exceptions import FilterTooExpensive, InvalidQuery
from recommendations.live.hub import LiveHub, hub
from recommendations.live.page import ShownLists
from recommendations.metrics import LIVE_CLOSED, LIVE_UPDATES
from recommendations.serving.admission.quotas import take_price, take_quota, turn_of
from recommendations.serving.admission.turns import TooBusy
from recommendations.serving.requests import UnknownPlacement
from recommendations.serving.schemas import Hello, Ping, Subscribe, encode, parse_live
from recommendations.state.site import SiteServing
from tracking.access.identity import ANONYMOUS_COOKIE, CLOCK_LEEWAY_S, Identity, resolve
from tracking.access.sites import KeyInfo
from tracking.contract.user_key import key_of_anonymous, key_of_user
from tracking.error_codes import ErrorCode
from tracking.http.edge import Refusal, Request
from tracking.snapshots.snapshot import SnapshotMissing
from tracking.token_bucket import TokenBucket
from tracking.traces import spans

logger = logging.getLogger(__name__)

MAX_MESSAGE_BYTES: Final = 4 * 1024
MESSAGES_A_SECOND: Final = 10.0
HELLO_WITHIN_S: Final = 5.0
LONGEST_PAUSE_S: Final = 5.0
LOOK_AGAIN_S: Final = (0.1, 0.3, 1.0, 3.0)
"""After how long lists are made again for which the user's features could not be read; then the page waits for news."""
SEND_WITHIN_S: Final = 20.0
CLOSE_WITHIN_S: Final = 1.0
POLICY_VIOLATION, TOO_BIG, RESTARTING, TRY_LATER = 1008, 1009, 1012, 1013


class LiveConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # channels ships no type information
    """One socket. There is no channel layer: who is concerned is known in this process (``live.hub``)."""

    channel_layer_alias = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.site = ""
        self.user_keys: tuple[str, ...] = ()
        self.address = ""
        self.key_id: int | str = 0
        self.has_token = False
        self.proof_until = math.inf
        self._hello = Hello()
        self._key: KeyInfo | None = None
        self._identity = Identity(anonymous_id=None, user_id=None)
        self._locale: str | None = None
        self._lists = ShownLists()
        self._causes: set[str] = set()
        self._traceparent = ""  # of the event that woke the page, where it is traced
        self._refreshing: asyncio.Task[None] | None = None
        self._hello_timer: asyncio.TimerHandle | None = None
        self._messages = TokenBucket(rate_per_s=MESSAGES_A_SECOND, burst=MESSAGES_A_SECOND)
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
        self.address = self._request().address_digest()
        entered = hub()
        await self.accept()
        if not entered.count_in(self.address):
            await self.shut(TRY_LATER, "too many sockets from this address")
            return
        self._hub = entered
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
        if not self._messages.take(time.monotonic()):
            await self.shut(POLICY_VIOLATION, f"at most {MESSAGES_A_SECOND:g} messages a second")
            return
        try:
            message = parse_live(data)
            if isinstance(message, Hello):
                await self._greet(message)
            elif isinstance(message, Ping):
                await self._say({"type": "pong"})
            elif self._key is None:
                raise Refusal(401, ErrorCode.MISSING_KEY, "say hello with a key first", field="key")
            else:
                await self._subscribe(message)
        except UnknownPlacement as error:
            await self._say(_error(ErrorCode.UNKNOWN_PLACEMENT, error.reason, error.field))
        except FilterTooExpensive as error:
            await self._say(_error(ErrorCode.FILTER_TOO_EXPENSIVE, f"{error.field} {error.reason}", error.field))
        except InvalidQuery as error:
            await self._say(_error(ErrorCode.INVALID_REQUEST, f"{error.field} {error.reason}", error.field))
        except Refusal as refusal:
            await self._say(_error(refusal.code, refusal.message, refusal.field))
            if refusal.status in (401, 403):
                await self.shut(POLICY_VIOLATION, refusal.code)
        except SnapshotMissing as error:
            await self._say(_error(ErrorCode.UNAVAILABLE, str(error), ""))
            await self.shut(RESTARTING, "starting")

    @property
    def placement_names(self) -> frozenset[str]:
        """The placements whose lists the page shows."""
        return self._lists.names

    def wake(self, cause: str, *, traceparent: str = "") -> None:
        """Make the lists again; while that is under way, once more afterwards, however many causes there were."""
        if self._is_closed or not self._lists.names:
            return
        self._traceparent = traceparent or self._traceparent
        self._causes.add(cause)
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._refresh(), name="live-refresh")

    def shows_any_gone(self, serving: SiteServing) -> bool:
        """Return whether an item on the page can no longer be had."""
        return self._lists.shows_any_gone(serving)

    async def shut(self, code: int, reason: str, *, refusal: Refusal | None = None) -> None:
        """Close the socket from our side, and say the refusal first where there is one."""
        if self._is_closed:
            return
        self._is_closed = True
        LIVE_CLOSED.labels(str(code)).inc()
        self._leave()
        with contextlib.suppress(TimeoutError):  # who reads nothing will not read this; the server's ping ends it
            async with asyncio.timeout(CLOSE_WITHIN_S):
                if refusal is not None:
                    await self.send(text_data=encode(_error(refusal.code, refusal.message, refusal.field)).decode())
                await self.close(code=code, reason=reason)

    async def prove_again(self) -> None:
        """Look again whether key and token of the hello are still taken."""
        if self._key is None or self._is_closed:
            return
        self.proof_until = math.inf  # one look at a time
        try:
            key = self._request().authenticate(self._hello.key, scope="recommendations")
        except Refusal as refusal:
            await self.shut(POLICY_VIOLATION, "key revoked or expired", refusal=refusal)
            return
        identity = self._resolved(key, self._hello)
        is_same = identity.user_id == self._identity.user_id
        self._key = key
        if is_same:
            self.proof_until = self._proved_until(key, identity)
            return
        self._become(key, identity)
        with contextlib.suppress(TimeoutError):
            await self._say({"type": "ready", "warnings": list(identity.warnings)})

    async def _greet(self, hello: Hello) -> None:
        """Check key, origin and identity. A second hello on a socket changes the user, as after a login."""
        key = self._request().authenticate(hello.key, scope="recommendations")
        identity = self._resolved(key, hello)
        if self._hello_timer is not None:
            self._hello_timer.cancel()
        self._hello, self._locale = hello, hello.lang
        self._become(key, identity)
        await self._say({"type": "ready", "warnings": list(identity.warnings)})
        self.wake("hello")

    def _visit(self) -> Visit:
        """Return what rules may ask of the page: what it said last, in its hello, or in its browser's headers."""
        headers = {} if self._key is None or self._key.is_secret else self._request().headers
        country_header = settings.COUNTRY_HEADER.lower().encode()
        greeted = self._hello.visit(headers, lang=self._locale, country_header=country_header)
        page = self._lists.said.visit({})
        return Visit(**{name: getattr(page, name) or getattr(greeted, name) for name in VISIT_FIELDS})

    def _request(self) -> Request:
        return Request({**self.scope, "method": "GET"}, b"", received_at=time.time())

    def _resolved(self, key: KeyInfo, hello: Hello) -> Identity:
        return resolve(
            key,
            anonymous_id=hello.anonymous_id,
            cookie_anonymous_id=self._request().cookie(ANONYMOUS_COOKIE),
            user_id=hello.user_id,
            user_token=hello.user_token,
            issue=False,
        )

    def _become(self, key: KeyInfo, identity: Identity) -> None:
        """Be the page of this user from now on."""
        assert self._hub is not None  # set when the socket was taken
        self._hub.leave(self)
        self._key, self._identity = key, identity
        self.site, self.key_id, self.has_token = key.site.slug, key.id, key.scopes is not None
        self.user_keys = tuple(
            name
            for name in (
                key_of_user(identity.user_id) if identity.user_id else "",
                key_of_anonymous(identity.anonymous_id) if identity.anonymous_id else "",
            )
            if name
        )
        self.proof_until = self._proved_until(key, identity)
        self._hub.join(self)

    def _proved_until(self, key: KeyInfo, identity: Identity) -> float:
        """Return when, in epoch seconds, what the hello brought is no longer enough."""
        until = math.inf if key.expires_at is None else key.expires_at
        is_proved_by_token = identity.user_id is not None and not key.is_secret
        return min(until, _expires_at(self._hello.user_token)) if is_proved_by_token else until

    def _leave(self) -> None:
        left, self._hub = self._hub, None
        if left is not None:
            left.leave(self)
            left.count_out(self.address)

    async def _subscribe(self, wanted: Subscribe) -> None:
        """Take what the page shows now; raises ``InvalidQuery`` for what cannot be."""
        assert self._key is not None  # said hello
        request = self._request()
        take_quota(request, self._key, anonymous_id=self._hello.anonymous_id or request.cookie(ANONYMOUS_COOKIE))
        take_price(request, self._key, await self._lists.price(wanted, site=self.site))
        problems = self._lists.subscribe(wanted, site=self.site)
        self.wake("subscribe")
        for index, problem in problems.items():
            await self._say(_error(problem.error, problem.message, f"placements[{index}].placement"))

    async def _refresh(self) -> None:
        """Make lists until nobody asks for newer ones, sending what differs from the page.

        A slot is held while lists are made and not while they are sent: eight slow readers would stop all others.
        """
        n_looks = 0
        span: spans.Span | None = None
        while self._causes and not self._is_closed and self._hub is not None and self._key is not None:
            looks_again = n_looks < len(LOOK_AGAIN_S)
            try:
                async with self._hub.slots:
                    causes, self._causes = self._causes, set()
                    span = self._begin_span(span)
                    sender, identity = turn_of(self._request(), self._key), self._identity
                    update = await self._lists.news(
                        self.site,
                        identity,
                        locale=self._locale,
                        sender=sender,
                        visit=self._visit(),
                        keeps_shown=looks_again,
                    )
            except TooBusy as error:
                self._causes |= causes
                await asyncio.sleep(min(error.retry_after_s, LONGEST_PAUSE_S))
                continue
            except Exception:  # an edge: one page's mishap must not end its updates
                logger.exception("live.refresh_failed site=%s", self.site)
                continue
            if self._identity is not identity:
                # Another hello came meanwhile: these lists were made for who is gone, and are not on the page.
                self._lists.forget_shown()
                self._causes.add("hello")
                continue
            if update is not None:
                LIVE_UPDATES.labels(min(causes)).inc(len(update.results))
                try:
                    await self._say(update)
                except TimeoutError:
                    await self.shut(POLICY_VIOLATION, "reads too slowly")
            if span is not None:
                span.end({"recsite.lists": 0 if update is None else len(update.results)})
                spans.set_current(None)
                span = None
            if not self._lists.is_behind:
                n_looks = 0
            elif looks_again:
                self._causes |= causes
                await asyncio.sleep(LOOK_AGAIN_S[n_looks])
                n_looks += 1

    def _begin_span(self, span: spans.Span | None) -> spans.Span | None:
        """Return the span of the event that woke the page, or what was begun before, where one of them is traced."""
        traceparent, self._traceparent = self._traceparent, ""
        if not traceparent or spans.sender is None:
            return span
        if span is not None:
            span.end()
        begun = spans.sender.follow(traceparent, "push", {"recsite.site": self.site}, kind="producer")
        spans.set_current(begun)
        return begun

    async def _say(self, payload: object) -> None:
        """Send, waiting for a slow reader only so long; meanwhile newer lists replace older ones."""
        if self._is_closed:
            return
        async with asyncio.timeout(SEND_WITHIN_S):
            await self.send(text_data=encode(payload).decode())

    def _hello_is_late(self) -> None:
        self._late = asyncio.create_task(self.shut(POLICY_VIOLATION, f"say hello within {HELLO_WITHIN_S:g} s"))


def _expires_at(token: str | None) -> float:
    """Return when a valid token expires, in epoch seconds, with the clocks' leeway."""
    claims = jwt.decode(token or "", options={"verify_signature": False, "verify_exp": False})
    return float(claims["exp"]) + CLOCK_LEEWAY_S


def _error(error: ErrorCode, message: str, field: str) -> dict[str, str]:
    return {"type": "error", "error": error, "message": message, "field": field}
