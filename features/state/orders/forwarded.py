"""Pure: the record of the log that tells the owner of an order what somebody else reported of it."""

from __future__ import annotations

from features.state.orders.book import Forwarding
from tracking.contract.events import SCHEMA_VERSION, EarlierClick, Forwarded, ForwardedRecord, log_key
from tracking.contract.parsing import encode_record
from tracking.contract.user_key import UserKey, anonymous_id_of, user_id_of


def as_record(site: str, forwarding: Forwarding, *, now_ms: int) -> tuple[bytes, bytes]:
    """Return key and value of the record that tells an order's owner."""
    record = ForwardedRecord(
        v=SCHEMA_VERSION,
        site=site,
        received_at_ms=now_ms,
        user_id=user_id_of(forwarding.owner),
        anonymous_id=anonymous_id_of(forwarding.owner),
        source=forwarding.source,
        events=(forwarding.event,) if forwarding.event is not None else (),
        forwarded=Forwarded(
            order=forwarding.order,
            clicks=tuple(
                EarlierClick(occurred_at_ms=at_ms, item_id=item_id, label=label)
                for at_ms, item_id, label in forwarding.clicks
            ),
        ),
    )
    return log_key(site, UserKey(forwarding.owner)), encode_record(record)
