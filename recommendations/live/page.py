"""What an open page shows, and which of its lists differ from that by now."""

from __future__ import annotations

import time
from typing import Final

from django.conf import settings

from recommendations.core.deadline import Deadline
from recommendations.core.visit import NO_VISIT, Visit
from recommendations.exceptions import InvalidQuery
from recommendations.serving.admission.prices import RequestPrice, price_request
from recommendations.serving.admission.turns import Sender
from recommendations.serving.rec_ids import InvalidRecId, digest_of, signer
from recommendations.serving.requests import check_any_known, check_length, problem_of, queries_of
from recommendations.serving.response import item_ids_of, reply_of
from recommendations.serving.schemas import ListProblem, LiveUpdate, Subscribe, VisitFields
from recommendations.serving.service import make_lists
from recommendations.serving.user import read_user
from recommendations.state.site import SiteServing, state_of
from tracking.access.identity import Identity

_NOTHING: Final = Subscribe()


class ShownLists:
    """The lists of one open page: which it wants, and what stands there now."""

    __slots__ = ("_digests", "_shown", "_version", "_wanted", "is_behind", "names")

    def __init__(self) -> None:
        self.is_behind = False
        """Whether the user's features could not be read for the newest lists, so that they have to be made again."""
        self.names: frozenset[str] = frozenset()
        self._wanted = _NOTHING
        self._shown: dict[str, tuple[str, ...]] = {}  # placement -> item ids on the page
        self._digests: dict[str, int] = {}  # placement -> digest of what the page said it shows
        self._version = 0

    @property
    def said(self) -> VisitFields:
        """What the page said of the visit when it subscribed."""
        return self._wanted

    async def price(self, wanted: Subscribe, *, site: str) -> RequestPrice:
        """Return what the page's lists cost; raises ``FilterTooExpensive`` as for one request."""
        check_length(each.filter for each in wanted.placements)
        state = state_of(site)
        queries = queries_of(wanted.placements, state, cart=wanted.cart, skips_unknown=True)
        deadline = Deadline.after(float(settings.BUDGET_MS))
        return await price_request(queries, state.serving.item_index, deadline=deadline)

    def subscribe(self, wanted: Subscribe, *, site: str) -> dict[int, ListProblem]:
        """Take what the page wants and says it shows; return, by position in the request, placements that are unknown.

        Those are left out, and sent as soon as they are made in the admin.

        Raises
        ------
        UnknownPlacement, InvalidQuery
            No placement is known, or a field is wrong; the page keeps what it had.
        """
        state = state_of(site)
        check_any_known(wanted.placements, state)
        queries_of(wanted.placements, state, cart=wanted.cart, skips_unknown=True)
        names = frozenset(each.placement for each in wanted.placements)
        if len(names) < len(wanted.placements):
            raise InvalidQuery(field="placements", reason="names a placement twice; an update could not say which")
        self._wanted, self.names = wanted, names
        self._shown = {name: items for name, items in self._shown.items() if name in names}
        self._digests = {}
        for name, rec_id in wanted.seen.items():
            try:
                said = signer().read(rec_id, site=site)
            except InvalidRecId:
                continue  # an old secret, or another installation: the list is sent again
            if said.placement == name:
                self._digests[name] = said.digest
                self._shown.pop(name, None)
        known = state.placements.by_name
        return {index: problem_of(each) for index, each in enumerate(wanted.placements) if each.placement not in known}

    def forget_shown(self) -> None:
        """Take nothing for shown: the next lists are sent, whatever they are."""
        self._shown, self._digests = {}, {}

    def shows_any_gone(self, serving: SiteServing) -> bool:
        """Return whether an item on the page can no longer be had."""
        recommendable = serving.item_index.catalogue.recommendable
        return any(not recommendable(item_id) for shown in self._shown.values() for item_id in shown)

    async def news(
        self,
        site: str,
        identity: Identity,
        *,
        locale: str | None,
        sender: Sender | None = None,
        visit: Visit = NO_VISIT,
        keeps_shown: bool = False,
    ) -> LiveUpdate | None:
        """Return the lists that differ from what the page shows, or None; from now on the page shows them.

        With ``keeps_shown``, a list that stands on the page stays while the user's features cannot be read, rather than
        to give way to one that is nobody's.

        Raises
        ------
        TooBusy
            The page's address had its share of the work; nothing has changed.
        """
        deadline = Deadline.after(float(settings.BUDGET_MS))
        state = state_of(site)
        wanted = self._wanted
        queries = queries_of(wanted.placements, state, cart=wanted.cart, locale=locale, skips_unknown=True, visit=visit)
        user = await read_user(site, identity, deadline=deadline)
        self.is_behind = user.problem is not None
        results = await make_lists(state, queries, user, deadline=deadline, sender=sender)
        item_index = state.serving.item_index
        now_s = int(time.time())
        news = []
        for result, query in zip(results, queries, strict=True):
            name, items = query.placement.name, item_ids_of(result, item_index)
            if self.is_behind and keeps_shown and (name in self._shown or name in self._digests):
                continue
            if name in self._shown:
                is_same = self._shown[name] == items
            else:
                is_same = name in self._digests and self._digests[name] == digest_of(items)
            self._shown[name] = items
            if not is_same:
                news.append(reply_of(result, query, state, user, now_s=now_s))
        if not (self.is_behind and keeps_shown):
            self._digests = {}
        if not news:
            return None
        self._version += 1
        return LiveUpdate(results=news, version=self._version)
