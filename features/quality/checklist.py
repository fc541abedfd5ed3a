"""Whether a shop's embedding is complete: what was seen of it, and what to do about what was not. Reads nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from features.quality.report import CatalogueUse

WANTED_EVENTS: Final = ("page_view", "view_item", "add_to_cart", "purchase")
"""Without these a list knows nothing of its user."""
MAX_UNKNOWN_SHARE: Final = 0.05
MAX_NAMED: Final = 5


class CheckState(StrEnum):
    """How a line of the checklist stands."""

    DONE = "done"
    WAITING = "waiting"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line: what is checked, how it stands and what was seen; ``remedy`` is empty where nothing is to do."""

    name: str
    title: str
    state: CheckState
    seen: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding:
    """What is known of a site and its pages.

    Attributes
    ----------
    counts : mapping of str to int
        Accepted events of 30 days by name; empty where they cannot be read.
    lists : mapping of str to int
        Lists whose items were seen, today and yesterday, by the name that the page gave.
    """

    host: str
    has_key: bool
    origins: tuple[str, ...]
    shop_url: str
    honours_gpc: bool
    has_event: bool
    counts: Mapping[str, int]
    catalogue: CatalogueUse | None
    placements: Collection[str]
    lists: Mapping[str, int]
    refused_by_consent: int = 0


def checklist(site: Embedding) -> tuple[Check, ...]:
    """Return the lines in the order in which a shop meets them."""
    return (
        _key(site), _origin(site), _policy(site), _first_event(site), _events(site), _ids(site), _lists(site),
        _consent(site),
    )  # fmt: skip


def _key(site: Embedding) -> Check:
    if site.has_key:
        return Check(name="key", title=_("Key"), state=CheckState.DONE, seen=_("A publishable key is live."))
    return Check(
        name="key", title=_("Key"), state=CheckState.WRONG, seen=_("There is no live publishable key."),
        remedy=_("Add one under API keys; the tag below carries it."),
    )  # fmt: skip


def _origin(site: Embedding) -> Check:
    if not site.origins:
        return Check(
            name="origin", title=_("Origins"), state=CheckState.WRONG,
            seen=_("Pages of every address may use the key: for trying out only."),
            remedy=_("Name the shop's addresses under Origins of the site, such as https://www.shop.example."),
        )  # fmt: skip
    if site.shop_url and not any(_covers(origin, site.shop_url) for origin in site.origins):
        return Check(
            name="origin", title=_("Origins"), state=CheckState.WRONG,
            seen=_("The shop's own address %(url)s is not among the origins %(origins)s.")
            % {"url": site.shop_url, "origins": _some(site.origins)},
            remedy=_("Add it to the origins of the site, or correct the address; its pages are refused with 403."),
        )  # fmt: skip
    return Check(
        name="origin",
        title=_("Origins"),
        state=CheckState.DONE,
        seen=_("Pages of %(origins)s may use the key.") % {"origins": _some(site.origins)},
    )


def _covers(origin: str, url: str) -> bool:
    """Whether an origin, maybe with ``*.`` for any subdomain, is that of an address."""
    scheme, _, host = origin.partition("://")
    mine, _, rest = url.lower().partition("://")
    theirs = rest.partition("/")[0]
    if mine != scheme:
        return False
    return theirs.endswith(host[1:]) and theirs != host[2:] if host.startswith("*.") else theirs == host


def _policy(site: Embedding) -> Check:
    if site.has_event:
        return Check(
            name="policy", title=_("Content-Security-Policy"), state=CheckState.DONE,
            seen=_("A page ran the script and its requests arrived, so no policy keeps them out."),
        )  # fmt: skip
    socket = site.host.replace("http", "ws", 1)
    return Check(
        name="policy", title=_("Content-Security-Policy"), state=CheckState.WAITING,
        seen=_("Nothing arrived yet, so nothing is known of the shop's policy."),
        remedy=_("Where the shop sends one, it needs: %(policy)s")
        % {"policy": f"script-src {site.host}; connect-src {site.host} {socket}"},
    )  # fmt: skip


def _first_event(site: Embedding) -> Check:
    if site.has_event:
        return Check(name="event", title=_("First event"), state=CheckState.DONE, seen=_("Events arrive."))
    return Check(
        name="event", title=_("First event"), state=CheckState.WAITING, seen=_("No event yet."),
        remedy=_(
            "Open a page of the shop with the tag. Nothing here? Look into the browser's console, which names it."
        ),
    )  # fmt: skip


def _events(site: Embedding) -> Check:
    missing = [name for name in WANTED_EVENTS if not site.counts.get(name)]
    seen = ", ".join(f"{name} {_number(site.counts[name])}" for name in WANTED_EVENTS if site.counts.get(name))
    if not missing:
        return Check(
            name="events",
            title=_("Events"),
            state=CheckState.DONE,
            seen=_("In 30 days: %(events)s.") % {"events": seen},
        )
    return Check(
        name="events", title=_("Events"),
        state=CheckState.WRONG if site.counts else CheckState.WAITING,
        seen=_("In 30 days: %(events)s. Missing: %(missing)s.")
        % {"events": seen or _("none"), "missing": ", ".join(missing)},
        remedy=_("Send them as step 2 shows, or from the data layer; purchases may come from the shop's server."),
    )  # fmt: skip


def _ids(site: Embedding) -> Check:
    use = site.catalogue
    if use is None or not use.known + use.unknown:
        return Check(
            name="ids", title=_("Ids of items"), state=CheckState.WAITING,
            seen=_("No event with an item in seven days."),
            remedy=_("Open the page of an item: its id has to be the item_id of the catalogue."),
        )  # fmt: skip
    if not use.n_items:
        return Check(
            name="ids", title=_("Ids of items"), state=CheckState.WRONG, seen=_("The catalogue is empty."),
            remedy=_("Add a feed, upload a file, or write the items with PUT /v1/items."),
        )  # fmt: skip
    share = f"{number_format(100 * use.known / (use.known + use.unknown), 0)}%"
    if use.unknown_share <= MAX_UNKNOWN_SHARE:
        return Check(
            name="ids",
            title=_("Ids of items"),
            state=CheckState.DONE,
            seen=_("%(share)s of the events with an item name one of the catalogue.") % {"share": share},
        )
    return Check(
        name="ids", title=_("Ids of items"), state=CheckState.WRONG,
        seen=_("%(share)s of the events with an item name one of the catalogue; not %(examples)s.")
        % {"share": share, "examples": _some([name for name, count in use.unknown_examples])},
        remedy=_("Send the id that the feed has as item_id, for a variant its own or its group_id."),
    )  # fmt: skip


def _lists(site: Embedding) -> Check:
    known = [name for name in site.lists if name in site.placements]
    unknown = [name for name in site.lists if name not in site.placements]
    if known:
        said = [_("Seen on pages: %(names)s.") % {"names": _some(known)}]
        if unknown:
            said.append(_("Others that pages name and that are no placements: %(names)s.") % {"names": _some(unknown)})
        return Check(
            name="placements",
            title=_("Placements"),
            state=CheckState.DONE,
            seen=" ".join(said),
        )
    if unknown:
        return Check(
            name="placements", title=_("Placements"), state=CheckState.WRONG,
            seen=_("Pages show %(names)s, which are no active placements.") % {"names": _some(unknown)},
            remedy=_("Use one of %(names)s.") % {"names": _some(sorted(site.placements))}
            if site.placements
            else _("Add a placement."),
        )  # fmt: skip
    return Check(
        name="placements", title=_("Placements"), state=CheckState.WAITING,
        seen=_("No list was looked at since yesterday."),
        remedy=_("Put a widget into a page as step 3 shows, and look at it for a second."),
    )  # fmt: skip


def _consent(site: Embedding) -> Check:
    left_out = ngettext(
        "%(n)s request of 30 days was left out for want of consent.",
        "%(n)s requests of 30 days were left out for want of consent.",
        site.refused_by_consent,
    ) % {"n": _number(site.refused_by_consent)}
    if not site.honours_gpc:
        return Check(
            name="consent", title=_("Consent"), state=CheckState.WRONG,
            seen=f"{_('Global Privacy Control is not honoured.')} {left_out}",
            remedy=_("Honour it under Who may send, unless the shop asks each of these shoppers itself."),
        )  # fmt: skip
    if not site.has_event:
        return Check(
            name="consent", title=_("Consent"), state=CheckState.WAITING, seen=_("Nothing arrived yet."),
            remedy=_(
                "With a consent banner: data-consent=pending on the tag and rec('consent', …), or data-datalayer."
            ),
        )  # fmt: skip
    return Check(
        name="consent", title=_("Consent"), state=CheckState.DONE,
        seen=" ".join(
            (_("Events come of shoppers who may be tracked; Global Privacy Control is honoured."), left_out)
        ),
    )  # fmt: skip


def _number(value: int) -> str:
    return number_format(value, 0, force_grouping=True)


def _some(names: Collection[str]) -> str:
    """Return the first names, and how many more there are."""
    shown = list(names)[:MAX_NAMED]
    more = len(names) - len(shown)
    if more <= 0:
        return ", ".join(shown)
    return _("%(names)s and %(count)s more") % {"names": ", ".join(shown), "count": _number(more)}
