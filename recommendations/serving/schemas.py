"""The JSON that HTTP and WebSocket share: what requests and replies hold, and clear messages for what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, TypeVar, get_args

import msgspec
from msgspec import Meta, Struct

from recommendations.core.visit import (
    MAX_CAMPAIGN,
    MAX_QUERY,
    Visit,
    campaign_of,
    country_of,
    device_of,
    language_of,
    path_of,
)
from recommendations.exceptions import InvalidQuery
from tracking.contract.events import Identifier, Url
from tracking.contract.refusals import explained
from tracking.error_codes import ErrorCode

MAX_PLACEMENTS: Final = 20
MAX_CONTEXT_ITEMS: Final = 100
MAX_EXCLUDED: Final = 500
MAX_CANDIDATES: Final = 1_000
MAX_LIMIT: Final = 100
MAX_BUDGET_MS: Final = 10_000

PlacementName = Annotated[str, Meta(min_length=1, max_length=64)]
Limit = Annotated[int, Meta(ge=1, le=MAX_LIMIT)]
ContextItems = Annotated[tuple[Identifier, ...], Meta(max_length=MAX_CONTEXT_ITEMS)]
FilterText = Annotated[str, Meta(max_length=2_000)]
FieldName = Literal[
    "item_id", "title", "url", "image_url", "price", "sale_price", "currency", "brand", "category", "availability",
    "reason",
]  # fmt: skip
ALL_FIELDS: Final[tuple[str, ...]] = get_args(FieldName)


class PlacementRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One list of a request."""

    placement: PlacementName
    limit: Limit | None = None
    context_items: ContextItems = ()
    filter: FilterText | None = None
    exclude: Annotated[tuple[Identifier, ...], Meta(max_length=MAX_EXCLUDED)] = ()


class VisitFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where and how the page is looked at, for rules that ask; what is left out is taken from a browser's headers."""

    device: Literal["desktop", "mobile", "tablet", "app"] | None = None
    locale: Annotated[str, Meta(max_length=35, pattern="^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8}){0,4}$")] | None = None
    country: Annotated[str, Meta(pattern="^[A-Za-z]{2}$")] | None = None
    campaign: Annotated[str, Meta(max_length=MAX_CAMPAIGN)] | None = None
    query: Annotated[str, Meta(max_length=MAX_QUERY)] | None = None
    page: Literal["home", "product", "category", "search", "cart", "checkout", "account", "other"] | None = None
    url: Url | None = None

    def visit(self, headers: Mapping[bytes, bytes], *, lang: str | None = None, country_header: bytes = b"") -> Visit:
        """Return what rules may ask of the request.

        Parameters
        ----------
        headers : mapping of bytes to bytes
            Of the visitor's browser; none where a shop's server sent the request, whose own say nothing.
        lang : str, optional
            The language of titles, where no locale is named.
        country_header : bytes
            Of a proxy that this installation trusts; none is read without it.
        """
        locale = self.locale or lang or language_of(headers.get(b"accept-language", b"").decode("latin-1"))
        country = self.country or (headers.get(country_header, b"").decode("latin-1") if country_header else "")
        url = self.url or ""
        return Visit(
            device=self.device or device_of(headers.get(b"user-agent", b"").decode("latin-1")),
            locale=locale,
            country=country_of(country),
            campaign=self.campaign or campaign_of(url),
            query=self.query or "",
            page=self.page or "",
            path=path_of(url),
        )


class _Who(VisitFields, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose request it is; malformed anonymous ids are as good as none."""

    key: Annotated[str, Meta(max_length=128)] | None = None
    anonymous_id: Annotated[str, Meta(max_length=64)] | None = None
    user_id: Identifier | None = None
    user_token: Annotated[str, Meta(max_length=4096)] | None = None


class RecommendRequest(_Who, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of ``POST /v1/recommendations``. Either ``placements``, or one ``placement`` with its fields beside it."""

    placements: Annotated[tuple[PlacementRequest, ...], Meta(min_length=1, max_length=MAX_PLACEMENTS)] | None = None
    placement: PlacementName | None = None
    limit: Limit | None = None
    context_items: ContextItems = ()
    filter: FilterText | None = None
    exclude: Annotated[tuple[Identifier, ...], Meta(max_length=MAX_EXCLUDED)] = ()
    cart: ContextItems = ()
    fields: Annotated[tuple[FieldName, ...], Meta(min_length=1)] | None = None
    budget_ms: Annotated[int, Meta(ge=1, le=MAX_BUDGET_MS)] | None = None
    explain: bool = False
    lang: Annotated[str, Meta(max_length=35)] | None = None

    def lists(self) -> tuple[PlacementRequest, ...]:
        """Return the lists that the request wants; raises ``InvalidQuery`` for none, or for both ways at once."""
        if self.placements is not None:
            if self.placement is not None:
                raise InvalidQuery(field="placement", reason="stands beside placements; send one of the two")
            return self.placements
        if self.placement is None:
            raise InvalidQuery(field="placements", reason='is required, as in [{"placement": "home_for_you"}]')
        return (
            PlacementRequest(
                placement=self.placement,
                limit=self.limit,
                context_items=self.context_items,
                filter=self.filter,
                exclude=self.exclude,
            ),
        )


class RankRequest(_Who, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of ``POST /v1/rank``: the items of a search or category page, to be put in this user's order."""

    items: Annotated[tuple[Identifier, ...], Meta(min_length=1, max_length=MAX_CANDIDATES)]
    placement: PlacementName | None = None
    limit: Annotated[int, Meta(ge=1, le=MAX_CANDIDATES)] | None = None
    context_items: ContextItems = ()
    filter: FilterText | None = None
    fields: Annotated[tuple[FieldName, ...], Meta(min_length=1)] | None = None
    budget_ms: Annotated[int, Meta(ge=1, le=MAX_BUDGET_MS)] | None = None
    explain: bool = False
    lang: Annotated[str, Meta(max_length=35)] | None = None


class Hello(_Who, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="hello"):
    """First message on a socket."""

    lang: Annotated[str, Meta(max_length=35)] | None = None


class Subscribe(VisitFields, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="subscribe"):
    """The lists that are on the page; ``seen`` says which reply each of them shows, so that no change is missed."""

    placements: Annotated[tuple[PlacementRequest, ...], Meta(max_length=MAX_PLACEMENTS)] = ()
    cart: ContextItems = ()
    seen: Annotated[dict[str, Annotated[str, Meta(max_length=500)]], Meta(max_length=MAX_PLACEMENTS)] = {}


class Ping(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="ping"):
    """Answered by a pong."""


LiveMessage = Hello | Subscribe | Ping


class ListReply(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One finished list. ``items`` are the cards of the catalogue, as JSON that is encoded already."""

    placement: str
    heading: str | None
    rec_id: str
    items: msgspec.Raw
    stage: str
    fallback_reason: str | None
    model_version: str | None
    variant: str
    feature_age_ms: int | None
    explanation: Any = msgspec.UNSET
    warnings: tuple[str, ...] = ()
    layout: str | None = None


class ListProblem(Struct, frozen=True, kw_only=True):
    """Stands where a list would be that cannot be made, so that the page's other lists are shown.

    ``field`` is what is wrong in the query of this list.
    """

    placement: str
    error: ErrorCode
    message: str
    field: str
    items: tuple[()] = ()


class RecommendReply(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Body of the answer of ``POST /v1/recommendations``; ``results`` stand in the order of the request."""

    results: Sequence[ListReply | ListProblem]
    live_url: str
    warnings: tuple[str, ...] = ()


class LiveUpdate(Struct, frozen=True, kw_only=True, tag_field="type", tag="update"):
    """What the server pushes: only lists that changed. ``version`` rises by one with each message of a socket."""

    results: Sequence[ListReply]
    version: int


class _RawPlacements(RecommendRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same request with its lists unread."""

    placements: Annotated[tuple[msgspec.Raw, ...], Meta(min_length=1, max_length=MAX_PLACEMENTS)]  # type: ignore[assignment]


_ENCODER: Final = msgspec.json.Encoder()
_RECOMMEND: Final = msgspec.json.Decoder(RecommendRequest)
_RAW_PLACEMENTS: Final = msgspec.json.Decoder(_RawPlacements)
_PLACEMENT: Final = msgspec.json.Decoder(PlacementRequest)
_VISIT: Final = msgspec.json.Decoder(VisitFields)
_RANK: Final = msgspec.json.Decoder(RankRequest)
_LIVE: Final[msgspec.json.Decoder[LiveMessage]] = msgspec.json.Decoder(LiveMessage)
_T = TypeVar("_T")


def parse_recommend(body: bytes) -> RecommendRequest:
    """Return the body of ``POST /v1/recommendations``; raises ``InvalidQuery`` naming the field."""
    return _decoded(_RECOMMEND, body)


def parse_raw_placements(body: bytes) -> tuple[RecommendRequest, tuple[bytes, ...]]:
    """Return the body without its lists, and those as bytes; raises ``InvalidQuery`` for what else is wrong."""
    read = _decoded(_RAW_PLACEMENTS, body)
    fields = {name: getattr(read, name) for name in RecommendRequest.__struct_fields__ if name != "placements"}
    request = RecommendRequest(**fields)
    if request.placement is not None:
        raise InvalidQuery(field="placement", reason="stands beside placements; send one of the two")
    return request, tuple(bytes(raw) for raw in read.placements)


def parse_placement(raw: bytes) -> PlacementRequest:
    """Return one list of a request; raises ``InvalidQuery`` naming the field."""
    return _decoded(_PLACEMENT, raw)


def parse_rank(body: bytes) -> RankRequest:
    """Return the body of ``POST /v1/rank``; raises ``InvalidQuery`` naming the field."""
    return _decoded(_RANK, body)


def parse_visit(body: bytes) -> VisitFields:
    """Return what is said of a visit; raises ``InvalidQuery`` naming the field."""
    return _decoded(_VISIT, body)


def parse_live(message: bytes | str) -> LiveMessage:
    """Return a client's message; raises ``InvalidQuery`` naming the field."""
    return _decoded(_LIVE, message.encode() if isinstance(message, str) else message)


def encode(payload: object) -> bytes:
    """Return a payload as JSON."""
    return _ENCODER.encode(payload)


def _decoded(decoder: msgspec.json.Decoder[_T], body: bytes) -> _T:
    try:
        return decoder.decode(body)
    except RecursionError as error:
        raise InvalidQuery(field="body", reason="is nested too deep; flatten it") from error
    except msgspec.ValidationError as error:
        path, reason = explained(error, decoder.type, body)
        raise InvalidQuery(field=path or "body", reason=reason) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidQuery(field="body", reason=f"is not valid JSON: {error}") from error
