"""What stands where in the admin's sidebar, and its colours; merged into ``UNFOLD`` by the settings."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the groups of the sidebar: what a merchandiser needs first, what an administrator needs last."""
    groups = [
        _group(
            "Merchandising",
            ("Placements", "view_carousel", "recommendations_placement"),
            ("Rules", "rule", "recommendations_rule"),
            ("Items", "sell", "features_item"),
            ("Feeds", "sync", "features_feed"),
            ("Performance", "bar_chart", "recommendations_placement", "report"),
        ),
        _group(
            "Shoppers",
            ("Segments", "groups", "features_segmentthreshold"),
            ("RFM map", "grid_view", "features_rfmsnapshot"),
        ),
        _group(
            "Models",
            ("Model versions", "neurology", "recommendations_modelversion"),
            ("Training", "model_training", "recommendations_trainingpolicy"),
            ("Training runs", "history", "recommendations_trainingrun"),
        ),
        _group(
            "Tracking",
            ("Sites", "storefront", "tracking_site"),
            ("API keys", "key", "tracking_apikey"),
            ("Data quality", "fact_check", "features_item", "data_quality"),
            ("Exchange rates", "currency_exchange", "features_exchangerate"),
            ("Dead letters", "mail_off", "tracking_deadletter"),
        ),
        _group(
            "Administration",
            ("Staff", "person", "auth_user"),
            ("Groups", "group", "auth_group"),
            ("Second factors", "phonelink_lock", "otp_totp_totpdevice"),
            ("OAuth clients", "lock_open", "tracking_oauthclient"),
            ("Client certificates", "badge", "tracking_clientcertificate"),
            ("Changes by staff", "manage_history", "admin_logentry"),
            ("Periodic tasks", "schedule", "django_celery_beat_periodictask"),
            ("Failed logins", "gpp_bad", "axes_accessattempt"),
            collapsible=True,
        ),
    ]
    return [group for group in groups if group["items"]]


def _group(title: str, *entries: tuple[str, ...], collapsible: bool = False) -> dict[str, Any]:
    items = []
    for name, icon, model, *screen in entries:
        try:
            link = reverse(f"admin:{model}_{screen[0] if screen else 'changelist'}")
        except NoReverseMatch:  # an optional screen that this installation does not have
            continue
        items.append({"title": name, "icon": icon, "link": link, "permission": _may_view(model)})
    return {"title": title, "separator": True, "collapsible": collapsible, "items": items}


def _may_view(model: str) -> Any:
    app, _, name = model.rpartition("_")
    return lambda request: request.user.has_perm(f"{app}.view_{name}")


def styles(request: HttpRequest) -> str:
    """Return the address of the admin's own style sheet."""
    return static("recsite/admin.css")


def scripts(request: HttpRequest) -> str:
    """Return the address of the admin's own script."""
    return static("recsite/admin.js")


def favicon(request: HttpRequest) -> str:
    """Return the address of the icon of the browser's tab."""
    return static("recsite/favicon.svg")


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Recsite",
    "SITE_HEADER": "Recsite",
    "SITE_SUBHEADER": "Live recommendations",
    "SITE_SYMBOL": "auto_awesome",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": favicon}],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "STYLES": [styles],
    "SCRIPTS": [scripts],
    "DASHBOARD_CALLBACK": "recsite.backoffice.dashboard.dashboard",
    "SIDEBAR": {"show_search": True, "show_all_applications": False, "navigation": sidebar},
    "COLORS": {
        "primary": {
            "50": "oklch(97.5% .018 165)",
            "100": "oklch(94.5% .04 165)",
            "200": "oklch(89% .07 165)",
            "300": "oklch(81% .1 165)",
            "400": "oklch(71% .12 165)",
            "500": "oklch(60% .115 165)",
            "600": "oklch(50% .1 165)",
            "700": "oklch(43% .085 165)",
            "800": "oklch(37% .07 165)",
            "900": "oklch(32% .055 165)",
            "950": "oklch(22% .04 165)",
        }
    },
}
