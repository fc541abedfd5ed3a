"""What stands where in the admin's sidebar, and its colours; merged into ``UNFOLD`` by the settings."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy


def account(request: HttpRequest) -> list[dict[str, Any]]:
    """Return what the menu of the account has beside the password and the way out."""
    return [{"title": _("Second factor"), "link": reverse("second-factor")}]


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the groups of the sidebar: what a merchandiser needs first, what an administrator needs last."""
    groups = [
        _group(
            _("Merchandising"),
            (_("Placements"), "view_carousel", "recommendations_placement"),
            (_("Rules"), "rule", "recommendations_rule"),
            (_("Campaigns"), "campaign", "recommendations_campaign"),
            (_("Leaderboards"), "leaderboard", "recommendations_leaderboard"),
            (_("Recalled items"), "block", "recommendations_recalleditem"),
            (_("Experiments"), "science", "recommendations_experiment"),
            (_("Hold-outs"), "front_hand", "recommendations_holdout"),
            (_("Items"), "sell", "features_item"),
            (_("Feeds"), "sync", "features_feed"),
            (_("Reports"), "bar_chart", "recommendations_savedview", "report"),
            (_("Performance"), "speed", "recommendations_placement", "report"),
        ),
        _group(
            _("Shoppers"),
            (_("Segments"), "groups", "features_segmentthreshold"),
            (_("RFM map"), "grid_view", "features_rfmsnapshot"),
        ),
        _group(
            _("Models"),
            (_("Model versions"), "neurology", "recommendations_modelversion"),
            (_("Sources over HTTP"), "http", "recommendations_httpsource"),
            (_("Training"), "model_training", "recommendations_trainingpolicy"),
            (_("Training runs"), "history", "recommendations_trainingrun"),
        ),
        _group(
            _("Tracking"),
            (_("Sites"), "storefront", "tracking_site"),
            (_("API keys"), "key", "tracking_apikey"),
            (_("Data quality"), "fact_check", "features_item", "data_quality"),
            (_("Duplicates"), "content_copy", "features_item", "duplicates"),
            (_("Exchange rates"), "currency_exchange", "features_exchangerate"),
            (_("Suspicious sources"), "policy_alert", "tracking_quarantinedsource"),
            (_("Dead letters"), "mail_off", "tracking_deadletter"),
        ),
        _group(
            _("Administration"),
            (_("Members of sites"), "group_add", "tracking_membership"),
            (_("Staff"), "person", "auth_user"),
            (_("Groups"), "group", "auth_group"),
            (_("Second factors"), "phonelink_lock", "otp_totp_totpdevice"),
            (_("OAuth clients"), "lock_open", "tracking_oauthclient"),
            (_("Client certificates"), "badge", "tracking_clientcertificate"),
            (_("Audit log"), "manage_history", "tracking_auditentry"),
            (_("Periodic tasks"), "schedule", "django_celery_beat_periodictask"),
            (_("Failed logins"), "gpp_bad", "axes_accessattempt"),
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
    "SITE_SUBHEADER": gettext_lazy("Live recommendations"),
    "SITE_SYMBOL": "auto_awesome",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": favicon}],
    "SHOW_HISTORY": True,
    "ACCOUNT": {"navigation": account},
    "SHOW_LANGUAGES": True,
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
