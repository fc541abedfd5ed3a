"""Login by OpenID Connect: mozilla-django-oidc does the flow; here are discovery, who is let in, and which roles.

Off unless ``RECSITE_OIDC_ISSUER`` is set. The provider's groups become memberships, which it may take back, too: those
that people gave by hand stay. Nobody becomes a superuser this way, and no superuser logs in this way.
"""

from __future__ import annotations

import time
from typing import Any, Final

import requests
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.exceptions import SuspiciousOperation
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from mozilla_django_oidc.auth import OIDCAuthenticationBackend
from mozilla_django_oidc.views import OIDCAuthenticationCallbackView, OIDCAuthenticationRequestView

from tracking.models import Membership, Site

DOCUMENT: Final = "/.well-known/openid-configuration"
TIMEOUT_S: Final = 5
KEPT_S: Final = 3_600
_NAMES: Final = {
    "OIDC_OP_AUTHORIZATION_ENDPOINT": "authorization_endpoint",
    "OIDC_OP_TOKEN_ENDPOINT": "token_endpoint",
    "OIDC_OP_USER_ENDPOINT": "userinfo_endpoint",
    "OIDC_OP_JWKS_ENDPOINT": "jwks_uri",
}
_known: dict[str, tuple[float, dict[str, Any]]] = {}


def discovered() -> dict[str, Any]:
    """Return the provider's document, asked for once an hour.

    Raises
    ------
    SuspiciousOperation
        The document is another issuer's.
    requests.RequestException
        The provider does not answer.
    """
    issuer = str(settings.OIDC_ISSUER)
    known = _known.get(issuer)
    if known is None or time.monotonic() - known[0] > KEPT_S:
        answer = requests.get(issuer.rstrip("/") + DOCUMENT, timeout=TIMEOUT_S)
        answer.raise_for_status()
        document = answer.json()
        if document.get("issuer") != issuer:
            raise SuspiciousOperation(f"the provider calls itself {document.get('issuer')!r}, not {issuer!r}")
        known = _known[issuer] = (time.monotonic(), document)
    return known[1]


def setting(name: str, *default: Any) -> Any:
    """Return a setting of mozilla-django-oidc; endpoints are those that the provider names."""
    if name in _NAMES:
        return discovered()[_NAMES[name]]
    return getattr(settings, name, *default)


class Begin(OIDCAuthenticationRequestView):  # type: ignore[misc]  # the library ships no types
    """Sends the browser to the provider."""

    get_settings = staticmethod(setting)


class Callback(OIDCAuthenticationCallbackView):  # type: ignore[misc]
    """Takes the browser back, logged in or not."""

    get_settings = staticmethod(setting)

    @property
    def failure_url(self) -> str:
        """Go back to the login, which says that nobody was let in."""
        return f"{reverse('admin:login')}?refused=1"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Finish the login; a provider that does not answer is a login that failed."""
        try:
            answer: HttpResponseBase = super().get(request)
        except requests.RequestException:
            return self.login_failure()  # type: ignore[no-any-return]
        return answer


class Backend(OIDCAuthenticationBackend):  # type: ignore[misc]
    """Logs in who comes back from the provider with a role on some site."""

    get_settings = staticmethod(setting)

    def __init__(self) -> None:
        """Ask for nothing yet: Django makes every backend for every login, and this one for every page after."""
        self.UserModel = get_user_model()

    def authenticate(self, request: HttpRequest | None, **kwargs: Any) -> Any:
        """Return the user of a code that the provider gave; of any other login, nobody."""
        is_callback = request is not None and request.path == reverse("oidc_authentication_callback")
        if not settings.OIDC_ISSUER or not is_callback:
            return None
        super().__init__()
        return super().authenticate(request, **kwargs)

    def verify_token(self, token: str, **kwargs: Any) -> dict[str, Any]:
        """Return what the token says, if it is the provider's, for us, and still holds."""
        said: dict[str, Any] = super().verify_token(token, **kwargs)
        audience = said.get("aud")
        if said.get("iss") != settings.OIDC_ISSUER or settings.OIDC_RP_CLIENT_ID not in (
            audience if isinstance(audience, list) else [audience]
        ):
            raise SuspiciousOperation("the token is another issuer's, or for another application")
        return said

    def verify_claims(self, claims: dict[str, Any]) -> bool:
        """Let in who has an address that the provider stands for, and a group that gives a role."""
        return bool(claims.get("email")) and claims.get("email_verified", True) is not False and bool(_roles(claims))

    def filter_users_by_claims(self, claims: dict[str, Any]) -> Any:
        """Return the user of that address; a superuser keeps to password and second factor."""
        return self.UserModel.objects.filter(username=_name(claims), is_superuser=False)

    @transaction.atomic
    def create_user(self, claims: dict[str, Any]) -> Any:
        """Make a staff user without a password."""
        if self.UserModel.objects.filter(username=_name(claims)).exists():
            raise SuspiciousOperation("that name is a superuser's, who logs in with a password")
        user = self.UserModel.objects.create_user(_name(claims), email=claims["email"], is_staff=True)
        return self.update_user(user, claims)

    @transaction.atomic
    def update_user(self, user: Any, claims: dict[str, Any]) -> Any:
        """Give the roles of the provider's groups, and take back those that it gave before."""
        wanted = _roles(claims)
        for member in Membership.objects.filter(user=user, is_managed=True).select_related("site", "role"):
            if (member.site.slug, member.role.name) not in wanted:
                member.delete()
        for slug, role in wanted:
            site, group = Site.objects.filter(slug=slug).first(), Group.objects.filter(name=role).first()
            if site is not None and group is not None:
                Membership.objects.get_or_create(user=user, site=site, role=group, defaults={"is_managed": True})
        return user


def _name(claims: dict[str, Any]) -> str:
    return str(claims["email"]).casefold()[:150]


def _roles(claims: dict[str, Any]) -> set[tuple[str, str]]:
    """Return site and role of each group that the claims name and the settings know."""
    groups = claims.get(settings.OIDC_GROUPS_CLAIM) or []
    named = {groups} if isinstance(groups, str) else set(map(str, groups))
    return {(site, role) for group, site, role in settings.OIDC_ROLES if group in named}
