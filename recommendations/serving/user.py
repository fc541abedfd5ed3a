"""The user of a request: features read in one round trip, and what to do without them."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final
from weakref import WeakKeyDictionary

from features.exceptions import StoreUnavailable, UnknownState
from features.state.identity.attributes import segments_of
from features.state.user_features import Recent, UserFeatures
from features.store.reader import OnlineReader
from recommendations.core.deadline import Deadline
from recommendations.core.types import NOBODY, FallbackReason, RequestUser
from recommendations.metrics import STAGE_SECONDS
from recommendations.serving.faults import Part, note_failure
from tracking.access.identity import Identity
from tracking.traces import spans

logger = logging.getLogger(__name__)

_FEATURES_SECONDS: Final = STAGE_SECONDS.labels("features")
SEEN_KINDS: Final = frozenset({"view", "select", "cart", "purchase"})
"""What counts as seen; a wish for later does not. What is a step for the ranker, ``recents.STEPS`` says."""

_readers: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, OnlineReader]] = WeakKeyDictionary()


async def read_user(site: str, identity: Identity, *, deadline: Deadline) -> RequestUser:
    """Return what is known of the user; never raises, and waits no longer than the store's time-out or the deadline.

    One round trip. A user without any id costs none.
    """
    if identity.user_id is None and identity.anonymous_id is None:
        return NOBODY
    started = time.perf_counter()
    span = spans.begin("read features")
    try:
        async with asyncio.timeout(deadline.left_s):
            found = await _reader().read_user(site, user_id=identity.user_id, anonymous_id=identity.anonymous_id)
        user = request_user(identity, found)
    except TimeoutError:
        return _unread(identity, FallbackReason.DEADLINE)
    except (StoreUnavailable, UnknownState) as error:
        logger.debug("user.unread site=%s error=%r", site, error)
        return _unread(identity, FallbackReason.STORE_UNAVAILABLE)
    except Exception as error:
        note_failure(site, Part.USER, error)
        return _unread(identity, FallbackReason.PIPELINE_ERROR)
    finally:
        if span is not None:
            span.end()
    _FEATURES_SECONDS.observe(time.perf_counter() - started)
    return user


def request_user(identity: Identity, found: UserFeatures) -> RequestUser:
    """Return what the pipeline wants to know of a user."""
    return RequestUser(
        key=identity.user_key,
        recents=tuple(dict.fromkeys(_items(found.recents))),
        session=found.steps,
        clicked=tuple(each.item_id for each in found.session if each.kind == "select"),
        purchases=tuple(found.bought),
        bought_ms=found.bought,
        cart=tuple(found.cart),
        segments=_segments(found),
        is_returning=found.session_number > 1 or len(found.sessions) > 1 or found.rfm.frequency > 0,
        version=found.state_version,
        feature_age_ms=found.freshness_ms,
        features=found,
    )


def _segments(found: UserFeatures) -> frozenset[str]:
    """Return the user's RFM segment, and those that its attributes make."""
    own = segments_of(found.attributes)
    return own if found.segment is None else own | {found.segment.name}


async def close_reader() -> None:
    """Close this event loop's connections."""
    reader = _readers.pop(asyncio.get_running_loop(), None)
    if reader is not None:
        await reader.close()


def _reader() -> OnlineReader:
    loop = asyncio.get_running_loop()
    reader = _readers.get(loop)
    if reader is None:
        reader = _readers[loop] = OnlineReader()
    return reader


def _items(interactions: tuple[Recent, ...]) -> tuple[str, ...]:
    return tuple(each.item_id for each in interactions if each.kind in SEEN_KINDS)


def _unread(identity: Identity, problem: FallbackReason) -> RequestUser:
    """Return a user of whom only the key is known, so that an experiment still finds the same variant."""
    return RequestUser(key=identity.user_key, problem=problem)
