"""A small OpenID Connect provider in a process of its own: django-oauth-toolkit, which logs in whom the test names.

``python -m tests.services.oidc.provider PORT FOLDER REDIRECT_URI`` prints a client id and secret, then serves. Who
comes with ``&as=NAME`` is NAME@shop.example; their groups are those of ``GROUPS``.
"""

from __future__ import annotations

import sys
from typing import Any, Final

GROUPS: Final = {"ada": ["merchants", "unheard-of"], "eve": ["nobody-knows"], "root": ["admins"]}


def main(port: int, folder: str, redirect_uri: str) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from django.conf import settings

    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    settings.configure(
        SECRET_KEY="only-for-tests-" + "y" * 50,
        DEBUG=False,
        ALLOWED_HOSTS=["127.0.0.1"],
        INSTALLED_APPS=[
            "django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "oauth2_provider",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "tests.services.oidc.provider.log_in",
        ],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{folder}/provider.sqlite3"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        ROOT_URLCONF="tests.services.oidc.urls",
        USE_TZ=True,
        OAUTH2_PROVIDER={
            "OIDC_ENABLED": True,
            "OIDC_RSA_PRIVATE_KEY": key.decode(),
            "OIDC_ISS_ENDPOINT": f"http://127.0.0.1:{port}/o",
            "OAUTH2_VALIDATOR_CLASS": "tests.services.oidc.claims.Claims",
            "ALLOWED_REDIRECT_URI_SCHEMES": ["http"],
            "SCOPES": {"openid": "Log in", "email": "Address", "profile": "Groups"},
        },
    )  # fmt: skip
    import django

    django.setup()
    from django.core.management import call_command
    from oauth2_provider.models import Application

    call_command("migrate", verbosity=0)
    application = Application(
        name="recsite", client_type="confidential", authorization_grant_type="authorization-code", algorithm="RS256",
        redirect_uris=redirect_uri, skip_authorization=True, hash_client_secret=False,
    )  # fmt: skip
    secret = application.client_secret
    application.save()
    sys.stdout.write(f"{application.client_id} {secret}\n")
    sys.stdout.flush()
    call_command("runserver", f"127.0.0.1:{port}", use_reloader=False, verbosity=0)


def log_in(get_response: Any) -> Any:
    """Log in whoever the address names."""
    from django.contrib.auth import get_user_model, login

    def answer(request: Any) -> Any:
        if name := request.GET.get("as"):
            user, _ = get_user_model().objects.get_or_create(username=name, email=f"{name}@shop.example")
            login(request, user, backend="django.contrib.auth.backends.ModelBackend")
        return get_response(request)

    return answer


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
