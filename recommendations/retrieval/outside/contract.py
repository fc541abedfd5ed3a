"""What a shop's service is asked and what it answers: one POST of JSON for many lists; signed, bounded, checked.

The contract is published in ``docs/extending.md``; its version stands in every body. Pure: no I/O, the time is an
argument.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec
import numpy as np

from recommendations.core.types import NOTHING_RANKED, Ranked, RequestUser
from recommendations.retrieval.base import PER_SOURCE, listed

VERSION: Final = 1
SIGNATURE: Final = "Recsite-Signature"

MAX_LISTS: Final = 64
"""So many lists are asked for in one request at most; what waits beyond them goes with the next."""

MAX_LIST_BYTES: Final = 24 << 10
"""Of an answer, for each list that was asked for: 100 ids of 128 characters with their scores."""

MAX_HISTORY: Final = 50
"""Items of a user that are told, newest first."""

MAX_READ: Final = 4 * PER_SOURCE
"""Entries of one list that are read: unknown ids among them must not make an answer dear."""


class AnswerFormat(StrEnum):
    """How a service writes a list."""

    IDS = "ids"  # {"lists": [["SKU-1", "SKU-2"]]}, best first
    SCORED = "scored"  # {"lists": [[{"item_id": "SKU-1", "score": 0.9}]]}, higher is better


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideSpec:
    """A service as it is asked.

    Attributes
    ----------
    name : str
        As placements, replies and explanations spell it.
    url : str
        An https address, of a public host.
    secret : str
        Signs what is sent; empty: nothing is signed.
    budget_ms : float
        How long lists wait for it at most.
    sends_ids : bool
        Whether it is told whose list it is.
    """

    site: str
    name: str
    url: str
    secret: str = ""
    budget_ms: float = 20.0
    answer: AnswerFormat = AnswerFormat.IDS
    sends_ids: bool = False


class _User(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    key: str | None = None
    session: tuple[str, ...] = ()
    recents: tuple[str, ...] = ()
    purchases: tuple[str, ...] = ()
    cart: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()


class _List(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    user: int
    placement: str
    limit: int
    context_items: tuple[str, ...] = ()
    cart: tuple[str, ...] = ()


class _Body(msgspec.Struct, frozen=True, kw_only=True):
    v: int
    site: str
    source: str
    users: list[_User]
    lists: list[_List]


class _Scored(msgspec.Struct, frozen=True, kw_only=True):
    item_id: str
    score: float


class _Ids(msgspec.Struct, frozen=True, kw_only=True):
    lists: list[list[str]]


class _WithScores(msgspec.Struct, frozen=True, kw_only=True):
    lists: list[list[_Scored]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One list that a service is asked for."""

    user: RequestUser
    placement: str
    context_items: tuple[str, ...] = ()
    cart: tuple[str, ...] = ()


class WrongAnswer(ValueError):
    """An answer that cannot be used; the message names what is wrong with it, and what the contract wants."""


_ENCODER: Final = msgspec.json.Encoder()
_IDS: Final = msgspec.json.Decoder(_Ids)
_WITH_SCORES: Final = msgspec.json.Decoder(_WithScores)


def body_of(spec: OutsideSpec, wanted: Sequence[Wanted]) -> bytes:
    """Return the JSON that asks for these lists; a user of several of them is told once."""
    number_of: dict[int, int] = {}
    users: list[_User] = []
    lists = []
    for each in wanted:
        number = number_of.get(id(each.user))
        if number is None:
            number = number_of[id(each.user)] = len(users)
            users.append(_user(each.user, sends_ids=spec.sends_ids))
        lists.append(
            _List(
                user=number, placement=each.placement, limit=PER_SOURCE,
                context_items=each.context_items[:MAX_HISTORY], cart=each.cart[:MAX_HISTORY],
            )
        )  # fmt: skip
    return _ENCODER.encode(_Body(v=VERSION, site=spec.site, source=spec.name, users=users, lists=lists))


def signature_of(secret: str, body: bytes, *, now_s: int) -> str:
    """Return ``t=<epoch seconds>,v1=<HMAC-SHA256 of "<t>.<body>" in hex>``, which a service compares before it answers.

    The time is signed, too, so that a request that somebody kept is worth nothing later.
    """
    digest = hmac.new(secret.encode(), f"{now_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={now_s},v1={digest}"


def answers_of(
    spec: OutsideSpec, answer: bytes, *, n_lists: int, row_of: Callable[[str], int | None]
) -> tuple[list[Ranked], int]:
    """Return the lists of an answer in the order of the question, and how many ids of them the catalogue lacks.

    Of an id that comes twice the first counts; beyond ``PER_SOURCE`` items a list is cut.

    Raises
    ------
    WrongAnswer
        It is no JSON of the contract, has another number of lists, or a score that is no finite number.
    """
    found: list[list[tuple[str, float]]] | list[list[str]]
    try:
        if spec.answer is AnswerFormat.SCORED:
            lists = _WITH_SCORES.decode(answer).lists
            found = [[(entry.item_id, entry.score) for entry in each[:MAX_READ]] for each in lists]
        else:
            found = _IDS.decode(answer).lists
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WrongAnswer(f"the answer is not what the format {spec.answer.value!r} says: {error}") from error
    if len(found) != n_lists:
        raise WrongAnswer(f"the answer has {len(found)} lists; {n_lists} were asked for, in this order")
    ranked, n_unknown = [], 0
    for each in found:
        one, unknown = _ranked(each[:MAX_READ], row_of)
        ranked.append(one)
        n_unknown += unknown
    return ranked, n_unknown


def _ranked(
    entries: Sequence[str] | Sequence[tuple[str, float]], row_of: Callable[[str], int | None]
) -> tuple[Ranked, int]:
    rows: dict[int, float] = {}
    n_unknown = 0
    has_scores = False
    for entry in entries:
        item_id, score = (entry, 0.0) if isinstance(entry, str) else entry
        has_scores = has_scores or not isinstance(entry, str)
        row = row_of(item_id)
        if row is None:
            n_unknown += 1
        else:
            rows.setdefault(row, score)
    if not rows:
        return NOTHING_RANKED, n_unknown
    found = np.fromiter(rows, np.int32, len(rows))
    if not has_scores:
        return listed(found[:PER_SOURCE]), n_unknown
    with np.errstate(over="ignore"):
        scores = np.fromiter(rows.values(), np.float64, len(rows)).astype(np.float32)
    if not np.isfinite(scores).all():
        raise WrongAnswer("a score is too large; scores are to be numbers of at most 3e38")
    order = np.argsort(-scores, kind="stable")[:PER_SOURCE]
    return Ranked(rows=found[order], scores=scores[order]), n_unknown


def _user(user: RequestUser, *, sends_ids: bool) -> _User:
    return _User(
        key=user.key if sends_ids else None,
        session=user.session[:MAX_HISTORY],
        recents=user.recents[:MAX_HISTORY],
        purchases=user.purchases[:MAX_HISTORY],
        cart=user.cart[:MAX_HISTORY],
        segments=tuple(sorted(user.segments)),
    )
