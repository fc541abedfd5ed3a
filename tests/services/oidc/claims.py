"""What the test's OpenID Connect provider says of people."""

from __future__ import annotations

from typing import Any

from oauth2_provider.oauth2_validators import OAuth2Validator

from tests.services.oidc.provider import GROUPS


class Claims(OAuth2Validator):
    """Address and groups, whatever was asked for."""

    oidc_claim_scope = None

    def get_additional_claims(self, request: Any) -> dict[str, Any]:
        user = request.user
        return {"email": user.email, "email_verified": True, "groups": GROUPS.get(user.username, [])}
