"""The hot endpoints: ``/v1/recommendations`` and ``/v1/rank``, ASGI beside Django; no SQL, one Redis round trip."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from django.conf import settings

from recommendations.core.deadline import Deadline
from recommendations.core.types import NOBODY, RequestUser
from recommendations.core.visit import NO_VISIT, Visit
from recommendations.exceptions import FilterTooExpensive, InvalidQuery
from recommendations.pipeline.query import ListQuery
from recommendations.pipeline.state import ListResult
from recommendations.serving.admission.prices import price_request
from recommendations.serving.admission.quotas import take_price, take_quota, turn_of
from recommendations.serving.admission.turns import TooBusy
from recommendations.serving.faults import aside
from recommendations.serving.parts import Part, parse_parts, with_checked_filters
from recommendations.serving.requests import (
    UnknownPlacement,
    check_any_known,
    check_length,
    condition_of,
    plain_ids,
    problem_of,
    queries_of,
    too_dear,
    unknown_placement,
)
from recommendations.serving.response import reply_of
from recommendations.serving.schemas import (
    ALL_FIELDS,
    MAX_CONTEXT_ITEMS,
    MAX_LIMIT,
    ListProblem,
    ListReply,
    PlacementRequest,
    RankRequest,
    RecommendReply,
    RecommendRequest,
    encode,
    parse_rank,
    parse_visit,
)
from recommendations.serving.service import RANK_PLACEMENT, make_lists
from recommendations.serving.shadow import runner as shadow
from recommendations.serving.user import read_user
from recommendations.state.site import SiteState, state_of
from tracking.access.certificates import CERTIFICATE_HEADER
from tracking.access.identity import ANONYMOUS_COOKIE, resolve
from tracking.access.sites import KeyInfo
from tracking.error_codes import ErrorCode
from tracking.http.edge import HotPath, Refusal, Reply, Request
from tracking.metrics import QUOTA_REFUSALS

LIVE_URL: Final = "/v1/live"
PUBLIC_MAX_AGE_S: Final = 60
PUBLIC_STALE_S: Final = 600
PUBLIC: Final = b"public, max-age=%d, s-maxage=%d, stale-while-revalidate=%d, stale-if-error=%d" % (
    PUBLIC_MAX_AGE_S // 2, PUBLIC_MAX_AGE_S, PUBLIC_STALE_S, 10 * PUBLIC_STALE_S,
)  # fmt: skip
PRIVATE: Final = b"private, max-age=%d" % (PUBLIC_MAX_AGE_S // 2)

_SAID: Final = ("device", "locale", "country", "campaign", "query", "page", "url")
"""What an address may say of the visit."""

T = TypeVar("T")


async def recommend(request: Request) -> Reply:
    """Answer ``POST /v1/recommendations``: personal lists; one Redis round trip."""
    body, parts = _parsed(parse_parts, request.body)
    deadline = Deadline.after(float(body.budget_ms or settings.BUDGET_MS))
    key = request.authenticate(body.key, scope="recommendations")
    take_quota(request, key, anonymous_id=body.anonymous_id or request.cookie(ANONYMOUS_COOKIE))
    _check_explain(key, body.explain)
    try:
        state = state_of(key.site.slug)
        if not key.is_secret:
            check_length(each.filter for each in parts if isinstance(each, PlacementRequest))
        parts = with_checked_filters(parts)
        wanted = [each for each in parts if isinstance(each, PlacementRequest)]
        check_any_known(wanted, state)
        queries = queries_of(
            wanted,
            state,
            cart=body.cart,
            fields=body.fields,
            locale=body.lang,
            explains=body.explain,
            skips_unknown=True,
            visit=_visit(request, key, body),
        )
        n_made = await take_work_quota(request, key, state, queries, deadline=deadline)
    except InvalidQuery as error:
        raise _refusal(error, single=body.placements is None) from error
    return await _answer(request, key, body, state, queries[:n_made], deadline=deadline, parts=parts)


async def rank(request: Request) -> Reply:
    """Answer ``POST /v1/rank``: the given items in this user's order; one Redis round trip."""
    body = _parsed(parse_rank, request.body)
    deadline = Deadline.after(float(body.budget_ms or settings.BUDGET_MS))
    key = request.authenticate(body.key, scope="recommendations")
    take_quota(request, key, anonymous_id=body.anonymous_id or request.cookie(ANONYMOUS_COOKIE))
    _check_explain(key, body.explain)
    state = state_of(key.site.slug)
    placement = replace(RANK_PLACEMENT, rules=state.placements.recalled)
    if body.placement is not None:
        found = state.placements.by_name.get(body.placement)
        if found is None:
            raise _refusal(unknown_placement(body.placement, field="placement"))
        placement = replace(found, strategy="rerank", segment_strategies={}, sources=(), fallback="empty")
    try:
        query = ListQuery(
            placement=placement,
            limit=body.limit or len(body.items),
            context_items=plain_ids(body.context_items),
            filter=body.filter or "",
            condition=condition_of(body.filter, field="filter"),
            candidates=plain_ids(body.items),
            fields=body.fields,
            locale=body.lang,
            explains=body.explain,
            visit=_visit(request, key, body),
        )
        await take_work_quota(request, key, state, [query], deadline=deadline)
    except InvalidQuery as error:
        raise _refusal(error, single=True) from error
    return await _answer(request, key, body, state, [query], deadline=deadline)


async def recommend_public(request: Request) -> Reply:
    """Answer ``GET /v1/recommendations/{placement}``: the same list for everybody, made to be cached; no Redis at all.

    The ETag covers what is shown, not the reply's id: a list that did not change is a 304.
    """
    query = request.query
    unknown = query.keys() - {"key", "limit", "context_items", "filter", "fields", "lang", *_SAID}
    if unknown:
        name = min(unknown)
        raise Refusal(400, ErrorCode.INVALID_REQUEST, f"{name!r} is not a field of this request; remove it", field=name)
    key = request.authenticate(scope="recommendations")
    take_quota(request, key)
    name = request.scope["path"].rsplit("/", 1)[-1]
    wanted = PlacementRequest(
        placement=name,
        limit=_limit(query.get("limit")),
        context_items=tuple(part for part in query.get("context_items", "").split(",") if part)[:MAX_CONTEXT_ITEMS],
        filter=query.get("filter"),
    )
    deadline = Deadline.after(float(settings.BUDGET_MS))
    try:
        state = state_of(key.site.slug)
        said = _parsed(parse_visit, encode({name: query[name] for name in _SAID if name in query}))
        queries = queries_of(
            [wanted],
            state,
            fields=_fields(query.get("fields")),
            locale=query.get("lang"),
            # Of what the address says alone: copies in caches are kept by it.
            visit=said.visit({}, lang=query.get("lang")),
        )
        await take_work_quota(request, key, state, queries, deadline=deadline)
    except InvalidQuery as error:
        raise _refusal(error, single=True) from error
    results = await _made(request, key, state, queries, NOBODY, deadline=deadline)
    now_s = int(time.time()) // PUBLIC_MAX_AGE_S * PUBLIC_MAX_AGE_S
    reply = reply_of(results[0], queries[0], state, NOBODY, now_s=now_s)
    etag = b'"%b"' % hashlib.sha256(bytes(reply.items) + (reply.model_version or "").encode()).hexdigest()[:24].encode()
    headers = [
        (b"etag", etag),
        (b"cache-control", PUBLIC if _names_its_key(request) else PRIVATE),
        (b"vary", b"origin"),
    ]
    if _has_copy(request, etag):
        return Reply(status=304, headers=headers)
    return Reply(encode(RecommendReply(results=[reply], live_url=LIVE_URL)), headers=headers)


async def _answer(
    request: Request,
    key: KeyInfo,
    body: RecommendRequest | RankRequest,
    state: SiteState,
    queries: Sequence[ListQuery],
    *,
    deadline: Deadline,
    parts: Sequence[Part] = (),
) -> Reply:
    identity = resolve(
        key,
        anonymous_id=body.anonymous_id,
        cookie_anonymous_id=request.cookie(ANONYMOUS_COOKIE),
        user_id=body.user_id,
        user_token=body.user_token,
        issue=False,
    )
    user = await read_user(state.site, identity, deadline=deadline)
    results = await _made(request, key, state, queries, user, deadline=deadline)
    shadow.offer(state, queries, user)
    now_s = int(time.time())
    replies: list[ListReply | ListProblem] = [
        reply_of(result, query, state, user, now_s=now_s) for result, query in zip(results, queries, strict=True)
    ]
    for index, each in enumerate(parts):
        if isinstance(each, ListProblem):
            replies.insert(index, each)
        elif each.placement not in state.placements.by_name:
            replies.insert(index, problem_of(each))
        elif index >= len(replies):
            replies.append(too_dear(each))
    return Reply(encode(RecommendReply(results=replies, live_url=LIVE_URL, warnings=identity.warnings)))


def _parsed(parse: Callable[[bytes], T], body: bytes) -> T:
    try:
        return parse(body)
    except InvalidQuery as error:
        raise _refusal(error) from error


def _refusal(error: InvalidQuery, *, single: bool = False) -> Refusal:
    """Return the answer to a wrong request; ``single`` when the fields of the one placement stand at the top."""
    field = error.field.removeprefix("placements[0].") if single else error.field
    if isinstance(error, FilterTooExpensive):
        return Refusal(400, ErrorCode.FILTER_TOO_EXPENSIVE, f"{field} {error.reason}", field=field)
    if isinstance(error, UnknownPlacement):
        return Refusal(404, ErrorCode.UNKNOWN_PLACEMENT, error.reason, field=field)
    return Refusal(400, ErrorCode.INVALID_REQUEST, f"{field} {error.reason}", field=field)


async def take_work_quota(
    request: Request, key: KeyInfo, state: SiteState, queries: Sequence[ListQuery], *, deadline: Deadline
) -> int:
    """Price a publishable key's request, count what it costs beyond a usual one, and return how many lists to make.

    Raises
    ------
    FilterTooExpensive, Refusal
        The conditions cost too much together, or the address has used up its quota.
    """
    if key.is_secret:
        return len(queries)
    price = await price_request(queries, state.serving.item_index, deadline=deadline)
    take_price(request, key, price)
    return price.n_made


async def _made(
    request: Request,
    key: KeyInfo,
    state: SiteState,
    queries: Sequence[ListQuery],
    user: RequestUser,
    *,
    deadline: Deadline,
) -> tuple[ListResult, ...]:
    try:
        return await make_lists(state, queries, user, deadline=deadline, sender=turn_of(request, key))
    except TooBusy as error:
        QUOTA_REFUSALS.labels("work of an address").inc()
        raise Refusal(
            429,
            ErrorCode.QUOTA_EXCEEDED,
            f"{error}; send fewer requests at once, or smaller ones",
            field="key",
            retry_after_s=max(math.ceil(error.retry_after_s), 1),
        ) from error


def _visit(request: Request, key: KeyInfo, body: RecommendRequest | RankRequest) -> Visit:
    """Return what rules may ask of the request; headers say it of a browser alone, not of a shop's server."""
    headers = {} if key.is_secret else request.headers
    visit = NO_VISIT
    with aside(key.site.slug):
        visit = body.visit(headers, lang=body.lang, country_header=settings.COUNTRY_HEADER.lower().encode())
    return visit


def _names_its_key(request: Request) -> bool:
    """Return whether the address says whose list it is; caches that all share keep copies by address alone."""
    in_headers = (b"authorization", b"x-api-key", CERTIFICATE_HEADER)
    return "key" in request.query and not any(request.headers.get(name) for name in in_headers)


def _has_copy(request: Request, etag: bytes) -> bool:
    """Return whether the client's copy is the newest; who compressed it may have made its tag a weak one."""
    kept = request.headers.get(b"if-none-match", b"")
    return any(each.strip().removeprefix(b"W/") in (etag, b"*") for each in kept.split(b","))


def _check_explain(key: KeyInfo, explain: bool) -> None:
    if explain and not key.is_secret:
        raise Refusal(
            403,
            ErrorCode.SECRET_KEY_NEEDED,
            "explain shows what is known of the shopper; send it from the shop's server with a secret key",
            field="explain",
        )


def _limit(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:6]) <= MAX_LIMIT:
        raise Refusal(
            400,
            ErrorCode.INVALID_REQUEST,
            f"limit={text[:20]!r} is not a whole number from 1 to {MAX_LIMIT}",
            field="limit",
        )
    return int(text)


def _fields(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = tuple(text.split(","))
    for name in names:
        if name not in ALL_FIELDS:
            raise Refusal(
                400,
                ErrorCode.INVALID_REQUEST,
                f"fields names {name[:40]!r}, which is not one of {', '.join(ALL_FIELDS)}",
                field="fields",
            )
    return names


recommend_application: Final = HotPath(recommend, name="recommend", methods=("POST",))
public_application: Final = HotPath(recommend_public, name="recommend_public", methods=("GET", "HEAD"))
rank_application: Final = HotPath(rank, name="rank", methods=("POST",))
