"""An arm shipped as a draft: the form of a placement, filled in as the arm has it, and nothing saved yet."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.utils.translation import gettext as _

from recommendations.models import Arm, Placement

ASKED = "arm"
"""The parameter of the address that names the arm by its number."""


class FilledByArm:
    """For the admin of placements: ``?arm=<number>`` fills the form in as an arm of one of its experiments says."""

    def get_form(self, request: HttpRequest, obj: Placement | None = None, change: bool = False, **kwargs: Any) -> Any:
        """Return the form; where an arm is asked for, with its settings in the place of those stored."""
        form: Any = super().get_form(request, obj, change=change, **kwargs)  # type: ignore[misc]  # a ModelAdmin follows
        arm = _arm(request, obj)
        if arm is None:
            return form

        def init(self: Any, *args: Any, **values: Any) -> None:
            form.__init__(self, *args, **values)
            self.initial |= arm.placement_fields

        return type(form.__name__, (form,), {"__init__": init})

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        """Say where the settings come from."""
        arm = _arm(request, kwargs.get("obj"))
        if arm is not None:
            said = _(
                "Filled in as the arm “%(arm)s” of “%(experiment)s” says. Nothing is saved yet: look at it, and save."
            )
            messages.info(request, said % {"arm": arm.name, "experiment": arm.experiment.name})
        return super().render_change_form(request, context, *args, **kwargs)  # type: ignore[misc]


def _arm(request: HttpRequest, placement: Placement | None) -> Arm | None:
    said = request.GET.get(ASKED, "")
    if request.method != "GET" or placement is None or not said.isdecimal():
        return None
    arms = Arm.objects.filter(experiment__site=placement.site_id, experiment__placements=placement)
    return arms.select_related("experiment").filter(pk=said).first()
