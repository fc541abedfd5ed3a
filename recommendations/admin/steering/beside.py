"""The list that a rule makes, beside its form: before and after, for whom one chooses, with what is typed just now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
from django.utils.translation import gettext as _

from recommendations.admin import gate, preview
from recommendations.admin.wording import filtered_words
from recommendations.core.deadline import Deadline
from recommendations.core.types import NOBODY, RequestUser
from recommendations.core.visit import Visit
from recommendations.filters.language import MAX_LENGTH
from recommendations.models import Placement
from recommendations.pipeline.explanation import Explanation, ItemWhy
from recommendations.pipeline.pipeline import recommend
from recommendations.pipeline.query import ListQuery, PlacementSpec
from recommendations.pipeline.rules.base import RuleSpec, compile_rule
from recommendations.state import placements
from recommendations.state.site import SiteServing, watch_site
from tracking.models import Site

NAME_PREFIX: Final = "preview_"
LIST_MS: Final = 1_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """One list twice: with what is published, and with the draft in place of what is published of it.

    Attributes
    ----------
    gone : sequence of Shown
        What the draft pushed out, with ``why_gone`` in words for each.
    """

    placement: str
    names: Sequence[str]
    before: Sequence[preview.Shown]
    after: Sequence[preview.Shown]
    gone: Sequence[tuple[preview.Shown, str]]
    is_same: bool
    applies: bool


def beside(site: Site, spec: RuleSpec | None, asked: Mapping[str, Any]) -> Beside | None:
    """Return the list of one placement before and after a draft; ``None`` where the site has no placement for it.

    Parameters
    ----------
    spec : RuleSpec, optional
        The draft; without one both lists are what is published.
    asked : mapping
        The fields ``preview_*`` of the form: placement, segment, session, user_id, page_item, device, returning.

    Raises
    ------
    InvalidQuery
        One of the rule's conditions is not in the language.
    """
    rows = {row.name: row for row in Placement.objects.filter(site=site, is_active=True)}
    names = [name for name in rows if spec is None or not spec.placements or name in spec.placements]
    if not names:
        return None
    wanted = _said(asked, "placement")
    name = wanted if wanted in names else names[0]
    serving = watch_site(site.slug).ensure_loaded()
    published = gate.published_rules(site)
    number = gate.NEWEST if spec is None else spec.rule_id or gate.NEWEST
    drafts = [] if spec is None else [compile_rule(msgspec.structs.replace(spec, rule_id=number))]
    others = [rule for rule in published if rule.spec.rule_id != number]
    user = _user(site, asked)
    query = _query(rows[name], asked)
    recalled = placements.load_placements(site.slug).recalled
    specs = [
        placements.placement_spec(rows[name], [*recalled, *rules])
        for rules in (published, placements.by_priority([*others, *drafts]))
    ]
    (before, _), (after, explained) = (_made(query, each, user, serving) for each in specs)
    listed = {why.item_id for why in after}
    was = preview.shown(before, serving, before)
    filtered = {each.item_id: each for each in explained.filtered}
    gone = [(each, _why_gone(each.why.item_id, filtered, explained)) for each in was if each.why.item_id not in listed]
    return Beside(
        placement=name,
        names=names,
        before=was,
        after=preview.shown(after, serving, before),
        gone=gone,
        is_same=[why.item_id for why in before] == [why.item_id for why in after],
        applies=any(each.rule_id == number for each in explained.active_rules),
    )


def _said(asked: Mapping[str, Any], name: str) -> str:
    return str(asked.get(f"{NAME_PREFIX}{name}", "")).replace("\x00", "").strip()[:MAX_LENGTH]


def _user(site: Site, asked: Mapping[str, Any]) -> RequestUser:
    """Return a made-up visitor, a known user, or somebody of a segment."""
    values = {
        "session": [line.strip() for line in _said(asked, "session").splitlines() if line.strip()],
        "user_id": _said(asked, "user_id"),
        "anonymous_id": "",
        "cart": [],
    }
    user = preview.user_of(site.slug, values) if values["session"] or values["user_id"] else NOBODY
    segment = _said(asked, "segment")
    is_returning = _said(asked, "returning") == "yes" or user.is_returning
    return replace(user, segments=user.segments | {segment} if segment else user.segments, is_returning=is_returning)


def _query(row: Placement, asked: Mapping[str, Any]) -> ListQuery:
    item = _said(asked, "page_item")
    visit = Visit(
        device=_said(asked, "device"), locale=_said(asked, "locale"), country=_said(asked, "country").upper(),
        campaign=_said(asked, "campaign"), query=_said(asked, "query"), page=_said(asked, "page"),
    )  # fmt: skip
    return ListQuery(
        placement=PlacementSpec(name=row.name), limit=row.size, context_items=(item,) if item else (), explains=True,
        visit=visit,
    )  # fmt: skip


def _made(
    query: ListQuery, spec: PlacementSpec, user: RequestUser, serving: SiteServing
) -> tuple[list[ItemWhy], Explanation]:
    query = replace(query, placement=spec)
    result = recommend(query, user, preview.context_for(serving, query, user), deadline=Deadline.after(LIST_MS))
    assert result.explanation is not None  # a query that explains gets one
    return result.explanation.items, result.explanation


def _why_gone(item_id: str, filtered: Mapping[str, Any], explained: Explanation) -> str:
    """Return in words why an item is listed no longer."""
    if item_id in filtered:
        return filtered_words(filtered[item_id].reason)
    behind = next((rank for rank, why in enumerate(explained.runners_up, 1) if why.item_id == item_id), None)
    if behind is not None:
        return _("pushed out: %(behind)s behind the last") % {"behind": behind}
    return _("pushed out by what stands above it")
