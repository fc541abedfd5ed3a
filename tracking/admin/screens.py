"""What our own admin pages share."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from tracking.staff.sites import active_sites


def screen(
    model_admin: ModelAdmin[Any], request: HttpRequest, template: str, *, title: str, **context: Any
) -> TemplateResponse:
    """Return a page inside the admin's frame."""
    request.current_app = model_admin.admin_site.name
    whole = {**model_admin.admin_site.each_context(request), "title": title, "opts": model_admin.opts, **context}
    return TemplateResponse(request, template, whole)


def get_or_404(model_admin: ModelAdmin[Any], request: HttpRequest, object_id: int, *, change: bool = False) -> Any:
    """Return an object of the admin's model, or answer 404, or 403 when the staff member may not see (change) it."""
    found = model_admin.get_object(request, str(object_id))
    if found is None:
        raise Http404(f"there is no {model_admin.opts.verbose_name} {object_id}")
    is_allowed = model_admin.has_change_permission if change else model_admin.has_view_permission
    if not is_allowed(request, found):
        raise PermissionDenied
    return found


def site_choice(request: HttpRequest) -> dict[str, Any]:
    """Return the active sites that the staff member sees, and as ``site`` the one of ``?site=<slug>``, else the first.

    A name that is none of them is said on the page with the names there are. What a template shows of the choice is
    ``admin/tracking/parts/site_choice.html``.
    """
    sites = active_sites(request)
    wanted = request.GET.get("site")
    site = next((one for one in sites if one.slug == wanted), None)
    if wanted and site is None:
        known = ", ".join(one.slug for one in sites) or "none"
        messages.warning(
            request,
            _("There is no active site %(wanted)s; there are: %(known)s.") % {"wanted": f"{wanted!r}", "known": known},
        )
    return {"sites": sites, "site": site or (sites[0] if sites else None)}


class NothingToSave:
    """For an admin whose page of one object has nothing to type: it shows no button to save."""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Return the page without those buttons."""
        hidden = dict.fromkeys(("show_save", "show_save_and_continue", "show_save_and_add_another"), False)
        page: HttpResponse = super().changeform_view(  # type: ignore[misc]  # a mixin of ModelAdmin
            request, object_id, form_url, {**(extra_context or {}), **hidden}
        )
        return page
