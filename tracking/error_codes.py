"""The error codes of every edge: HTTP, WebSocket and the events of a request; the one place where they are declared.

A code is a stable word for programs. ``docs/api.md`` and the OpenAPI document hold the same
table; a test compares them.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Self


class ErrorCode(StrEnum):
    """What is wrong, one code for each mistake.

    Attributes
    ----------
    statuses : tuple of int
        The HTTP statuses that it is answered with; first the usual one. Codes of one event or one item inside a
        request that is otherwise accepted have the status that a request of that one alone would get.
    meaning : str
        What it means, and what the caller can do.
    """

    statuses: tuple[int, ...]
    meaning: str

    def __new__(cls, code: str, statuses: int | tuple[int, ...], meaning: str) -> Self:
        """Return the member, which is its code."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.statuses = (statuses,) if isinstance(statuses, int) else statuses
        member.meaning = meaning
        return member

    # A field of a request.
    INVALID_REQUEST = "invalid_request", 400, "a field of the request is wrong; `field` is its path"
    FILTER_TOO_EXPENSIVE = "filter_too_expensive", 400, "the filters of a request cost too much; simplify them"
    LIST_TOO_EXPENSIVE = "list_too_expensive", 400, "instead of a list: those before it cost all that a request may"
    INVALID_GZIP = "invalid_gzip", 400, "the body is not gzip, or cut short"

    # An event.
    INVALID_EVENT = "invalid_event", 400, "an event breaks the contract; correct it, never send it again as it is"
    INVALID_JSON = "invalid_json", 400, "an event or a record is not JSON"
    UNKNOWN_EVENT = "unknown_event", 400, "the name of an event is nearly one of ours; correct it"
    EVENT_TOO_LARGE = "event_too_large", 400, "an event is larger than 32 kB"
    TOO_MANY_EVENTS = "too_many_events", 400, "send fewer events a request"
    TOO_DEEP = "too_deep", 400, "an event is nested too deep; flatten it"
    INVALID_CHARACTER = "invalid_character", 400, "a text holds U+0000"
    TOO_OLD = "too_old", 400, "an event is more than ten years old; send milliseconds since 1970"
    MISSING_USER = "missing_user", 400, "neither `user_id` nor `anonymous_id` was sent"
    FUTURE_SCHEMA = "future_schema", 400, "a newer schema than this server's, and no place to keep it"

    # An item.
    INVALID_ITEM = "invalid_item", 400, "a field of an item is wrong; the other items are written"

    # Who may do what.
    MISSING_KEY = "missing_key", 401, "no key was sent"
    UNKNOWN_KEY = "unknown_key", 401, "the key or token is unknown, expired or revoked"
    UNKNOWN_CERTIFICATE = "unknown_certificate", 401, "the client certificate is unknown, expired or revoked"
    SECRET_KEY_NEEDED = "secret_key_needed", (403, 400), "only a secret key may do this; send it from the shop's server"
    SECRET_KEY_IN_BROWSER = "secret_key_in_browser", 403, "a page used a secret key; revoke it"
    ORIGIN_NOT_ALLOWED = "origin_not_allowed", 403, "the page is not among the site's origins; add it in the admin"
    INSUFFICIENT_SCOPE = "insufficient_scope", 403, "the token lacks the scope of this operation"

    # What is there.
    UNKNOWN_PLACEMENT = "unknown_placement", 404, "the site has no active placement of this name"
    UNKNOWN_ITEM = "unknown_item", 404, "the site has no such item; write it first"
    UNKNOWN_REC_ID = "unknown_rec_id", 404, "this site made no reply with this `rec_id`"
    NOT_KEPT = "not_kept", 404, "the reply is older than a day, or not in the sample"
    NOT_ERASED = "not_erased", 404, "the user was never erased"
    UNKNOWN_ADDRESS = "unknown_address", 404, "there is nothing at this address"

    # How it was sent.
    METHOD_NOT_ALLOWED = "method_not_allowed", 405, "`Allow` says which methods are"
    BODY_TIMEOUT = "body_timeout", 408, "the body did not arrive within 5 s"
    HEAD_TIMEOUT = "head_timeout", 408, "the head of the request did not arrive within 5 s"
    IN_PROGRESS = "in_progress", 409, "the first request with this `Idempotency-Key` is still being answered; wait"
    BODY_TOO_LARGE = "body_too_large", 413, "send less a request"
    RECORD_TOO_LARGE = "record_too_large", 413, "the events of one user are too large for the log; send fewer a request"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type", 415, "send JSON, as `application/json` or `text/plain`"
    UNSUPPORTED_ENCODING = "unsupported_encoding", 415, "send gzip or no content encoding"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused", 422, "this `Idempotency-Key` came with another body before"
    QUOTA_EXCEEDED = "quota_exceeded", 429, "wait as `Retry-After` says, or raise the site's quota"

    # The server.
    INTERNAL_ERROR = "internal_error", 500, "our fault; it is logged"
    UNAVAILABLE = "unavailable", 503, "the process is starting, or a store that this needs is unavailable; try again"


def table(codes: Iterable[ErrorCode] = ErrorCode) -> str:
    """Return the codes as the rows of a Markdown table, for the documents."""
    rows = ["| status | `error` | means |", "|---|---|---|"]
    rows += [f"| {', '.join(map(str, code.statuses))} | `{code}` | {code.meaning} |" for code in codes]
    return "\n".join(rows)
