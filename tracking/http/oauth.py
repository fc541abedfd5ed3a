"""OAuth2 client credentials for servers of the shop: clients are made and revoked here, tokens given and taken back.

Nothing else of OAuth2 is offered: no passwords, no authorisation codes, no refresh tokens. The hot paths check
tokens in memory (``tracking.access.tokens``, ``tracking.access.sites``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from oauth2_provider.generators import generate_client_id, generate_client_secret
from oauth2_provider.models import Application, get_access_token_model
from oauth2_provider.oauth2_validators import OAuth2Validator
from oauth2_provider.scopes import BaseScopes
from oauth2_provider.views import RevokeTokenView, TokenView

from tracking.http.quotas import Quotas
from tracking.http.request import Refusal, request_of
from tracking.models import OAuthClient, Site, validate_scopes

TOKEN_REQUESTS_PER_MINUTE: Final = 30
"""Of one address, at all processes together: checking a client's secret costs 50 ms on purpose (argon2)."""
_quotas: Final = Quotas()


def create_client(site: Site, label: str, *, scopes: Sequence[str]) -> tuple[OAuthClient, str, str]:
    """Make a client and return it with its id and its secret; the secret is known only now.

    Raises ``django.core.exceptions.ValidationError`` for scopes that do not exist.
    """
    validate_scopes(list(scopes))
    client_id, secret = generate_client_id(), generate_client_secret()
    with transaction.atomic():
        application = Application.objects.create(
            name=f"{site.slug}: {label}"[:255],
            client_id=client_id,
            client_secret=secret,  # hashed when it is saved
            client_type=Application.CLIENT_CONFIDENTIAL,
            authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
        )
        client = OAuthClient.objects.create(application=application, site=site, label=label, scopes=list(scopes))
    return client, client_id, secret


def revoke_client(client: OAuthClient) -> None:
    """Refuse the client and its tokens from now on: within five seconds in every process."""
    if client.revoked_at is None:
        client.revoked_at = timezone.now()
        client.save(update_fields=["revoked_at"])
    get_access_token_model().objects.filter(application=client.application_id).delete()


def forget_expired_tokens() -> int:
    """Delete tokens that expired; return how many."""
    deleted, _ = get_access_token_model().objects.filter(expires__lte=timezone.now()).delete()
    return int(deleted)


class SiteScopes(BaseScopes):  # type: ignore[misc]  # django-oauth-toolkit ships no types
    """A client may request its own scopes only, and gets all of them when it requests none."""

    def get_all_scopes(self) -> dict[str, str]:
        """Return the scopes there are, with what they mean."""
        return dict(settings.OAUTH2_PROVIDER["SCOPES"])

    def get_available_scopes(
        self, application: Any = None, request: Any = None, *args: Any, **kwargs: Any
    ) -> list[str]:
        """Return the scopes that the client may request."""
        client = _client_of(application)
        return [] if client is None else list(client.scopes)

    def get_default_scopes(self, application: Any = None, request: Any = None, *args: Any, **kwargs: Any) -> list[str]:
        """Return what the client gets when it requests none by name."""
        return self.get_available_scopes(application, request)


class ClientCredentialsOnly(OAuth2Validator):  # type: ignore[misc]
    """Takes no application but a live client of an active site."""

    def authenticate_client(self, request: Any, *args: Any, **kwargs: Any) -> bool:
        """Check the client's id and secret, and that it is not revoked."""
        return bool(super().authenticate_client(request, *args, **kwargs)) and _client_of(request.client) is not None

    def validate_grant_type(
        self, client_id: str, grant_type: str, client: Any, request: Any, *args: Any, **kwargs: Any
    ) -> bool:
        """Refuse every way but client credentials."""
        return grant_type == "client_credentials" and bool(
            super().validate_grant_type(client_id, grant_type, client, request, *args, **kwargs)
        )


def _client_of(application: Any) -> OAuthClient | None:
    return OAuthClient.objects.filter(
        application_id=getattr(application, "pk", None) or 0, revoked_at=None, site__is_active=True
    ).first()


class _Throttled:
    """Answers 429 to an address that sends too many requests."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Count the request, then answer it."""
        _quotas.start(settings.REDIS_URL)
        try:
            _quotas.take(
                "token requests",
                f"oauth:{request_of(request).address_digest()}",
                amount=1,
                per_minute=TOKEN_REQUESTS_PER_MINUTE,
            )
        except Refusal as refusal:
            body = {"error": refusal.code, "message": refusal.message, "field": refusal.field}
            return JsonResponse(body, status=refusal.status, headers={"Retry-After": str(refusal.retry_after_s)})
        answer: HttpResponse = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]  # a mixin of views
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer


@method_decorator(csrf_exempt, name="dispatch")
class ObtainToken(_Throttled, TokenView):  # type: ignore[misc]
    """``POST /o/token/``."""


@method_decorator(csrf_exempt, name="dispatch")
class RevokeToken(_Throttled, RevokeTokenView):  # type: ignore[misc]
    """``POST /o/revoke_token/``."""
