"""What was published of a rule: versions with author, time and difference, and the way back to each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from recommendations.admin.wording import Change, differences, rule_words
from recommendations.models import Rule, RuleVersion
from recommendations.pipeline.rules.base import RuleSpec
from recommendations.state import placements
from recommendations.state.rule_versions import restore
from tracking.admin.screens import get_or_404, screen
from tracking.templatetags.written import in_zone

if TYPE_CHECKING:
    from unfold.admin import ModelAdmin

MAX_SHOWN: Final = 50
PUBLISHED: Final = "published"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownVersion:
    """One version, as the page draws it; ``changes`` are against the version before."""

    version: RuleVersion
    at: str
    sentence: str
    changes: list[Change]
    can_restore: bool


def history(model_admin: ModelAdmin, request: HttpRequest, rule_id: int) -> HttpResponse:
    """Show the versions of a rule; a POST goes back to one of them, or to what is served."""
    is_change = request.method == "POST"
    rule: Rule = get_or_404(model_admin, request, rule_id, change=is_change)
    if is_change:
        return _go_back(model_admin, request, rule)
    stored = list(RuleVersion.objects.filter(rule_number=rule.pk).order_by("-number")[: MAX_SHOWN + 1])
    zone = rule.site.zone
    shown = []
    for position, version in enumerate(stored[:MAX_SHOWN]):
        spec = spec_of(version.document)
        before = next((older for each in stored[position + 1 :] if (older := spec_of(each.document))), None)
        shown.append(
            ShownVersion(
                version=version,
                at=in_zone(version.at, zone),
                sentence=rule_words(spec, zone) if spec is not None else "",
                changes=differences(before, spec, zone) if spec is not None and before is not None else [],
                can_restore=spec is not None,
            )
        )
    served, draft = spec_of(rule.published), placements.rule_spec(rule)
    return screen(
        model_admin,
        request,
        "admin/recommendations/rule/history.html",
        title=_("Versions of %(rule)s") % {"rule": rule},
        rule=rule,
        versions=shown,
        has_more=len(stored) > MAX_SHOWN,
        unpublished=differences(served, draft, zone) if served is not None else [],
        may_change=model_admin.has_change_permission(request, rule),
    )


def spec_of(document: Any) -> RuleSpec | None:
    """Return a version as a rule; ``None`` where there is none, or it is of another form of rules."""
    try:
        return None if document is None else msgspec.convert(document, RuleSpec)
    except msgspec.ValidationError:
        return None


@transaction.atomic
def _go_back(model_admin: ModelAdmin, request: HttpRequest, rule: Rule) -> HttpResponse:
    wanted = request.POST.get("version", "")
    if wanted == PUBLISHED:
        document, what = rule.published, _("what is published")
    else:
        versions = RuleVersion.objects.filter(rule_number=rule.pk)
        version = versions.filter(number=int(wanted)).first() if wanted.isdecimal() else None
        document, what = (
            (version.document, _("version %(number)s") % {"number": version.number})
            if version is not None
            else (None, wanted)
        )
    back = redirect(reverse("admin:recommendations_rule_history_of", args=[rule.pk]))
    if document is None or spec_of(document) is None:
        messages.error(
            request, _("There is no version %(what)s to go back to; choose one of those below.") % {"what": f"{what!r}"}
        )
        return back
    rule.updated_by = request.user.get_username()
    missing = restore(rule, document)
    model_admin.log_change(request, rule, _("Went back to %(what)s.") % {"what": what})
    messages.success(
        request,
        _("The form of “%(rule)s” says again what %(what)s said. Publish it to have it served.")
        % {"rule": rule, "what": what},
    )
    if missing:
        messages.warning(
            request,
            _("The site has no placement %(missing)s any more; the rule leaves it out.")
            % {"missing": ", ".join(missing)},
        )
    return redirect(reverse("admin:recommendations_rule_change", args=[rule.pk]))
