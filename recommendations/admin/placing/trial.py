"""A placement as its form says it, answered like a reply of the API, so that the real widget can draw it."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from django import forms
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from recommendations.admin.fields import LinesField, LinesWidget
from recommendations.admin.gate import published_rules
from recommendations.admin.preview import context_for
from recommendations.admin.typed import understood
from recommendations.core.deadline import Deadline
from recommendations.core.types import NOBODY, RequestUser
from recommendations.models import Placement
from recommendations.pipeline.pipeline import recommend
from recommendations.pipeline.query import ListQuery
from recommendations.state import placements
from recommendations.state.site import watch_site
from tracking.admin.screens import get_or_404
from tracking.contract.user_key import key_of_anonymous
from tracking.error_codes import ErrorCode

DEADLINE_MS: Final = 1_000.0
MAX_FIELDS: Final = 200


class VisitForm(forms.Form):
    """Whose list the preview shows: that of somebody who looked at these items, or of somebody unknown."""

    trial_session = LinesField(
        label=gettext_lazy("As somebody who looked at"),
        required=False,
        widget=LinesWidget(
            kind="items", placeholder=gettext_lazy("Search an item that the shopper looked at …"), rows=2
        ),
        help_text=gettext_lazy("One item id (SKU) a line, oldest first. Empty: somebody of whom nothing is known."),
    )


class _Asked(msgspec.Struct):
    """What the widget sends here: the fields of the form, as pairs, in the place of who asks."""

    draft: list[tuple[str, str]] = []


def trial(model_admin: Any, request: HttpRequest, placement_id: int) -> HttpResponse:
    """Answer a list filled as the form says, of a made-up visit or an unknown user; nothing is saved or counted."""
    placement: Placement = get_or_404(model_admin, request, placement_id)
    try:
        asked = msgspec.json.decode(request.body, type=_Asked)
    except msgspec.DecodeError as error:
        return JsonResponse(
            {
                "error": ErrorCode.INVALID_REQUEST,
                "message": _("the body %(error)s") % {"error": error},
                "field": "body",
            },
            status=400,
        )
    fields = QueryDict(mutable=True)
    for name, value in asked.draft[:MAX_FIELDS]:
        fields.appendlist(name, value)
    form = model_admin.get_form(request, placement, change=True)(fields, instance=placement)
    form.is_valid()
    problems = [f"{form.fields[name].label or name}: {each}" for name in form.errors if name in form.fields
                for each in form.errors[name]]  # fmt: skip
    if problems:
        return JsonResponse({"results": [], "problem": " ".join(problems)})
    visit = VisitForm(fields)
    visit.is_valid()
    seen = understood("items", visit.cleaned_data["trial_session"], placement.site)
    return JsonResponse({"results": [_list(form.instance, seen)], "problem": ""})


def _list(placement: Placement, seen: list[str]) -> dict[str, Any]:
    user = NOBODY
    if seen:
        newest_first = tuple(reversed(seen))
        user = RequestUser(key=key_of_anonymous("trial"), recents=newest_first, session=newest_first)
    serving = watch_site(placement.site.slug).ensure_loaded()
    spec = placements.placement_spec(placement, published_rules(placement.site))
    query = ListQuery(placement=spec, limit=spec.size, explains=True)
    result = recommend(query, user, context_for(serving, query, user), deadline=Deadline.after(DEADLINE_MS))
    shown = result.explanation.items if result.explanation is not None else ()
    cards = [serving.item_index.catalogue.card(why.item_id) for why in shown]
    return {
        "placement": placement.name,
        "heading": placement.heading or None,
        "layout": placement.layout or None,
        "items": [msgspec.to_builtins(card) for card in cards if card is not None],
        "rec_id": "",
        "stage": "trial",
    }
