"""Sites, their keys, and the records that could never be applied."""

from __future__ import annotations

import secrets
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

ORIGIN = RegexValidator(
    r"^https?://(\*\.)?[a-z0-9.-]+(:\d{1,5})?$",
    gettext_lazy("is not an origin; use scheme and host as in https://www.shop.example, or https://*.shop.example"),
)


def new_token_secret() -> str:
    """Return 384 random bits for signing the tokens of identified users."""
    return secrets.token_urlsafe(48)


def validate_origins(value: object) -> None:
    """Raise unless ``value`` is a list of origins as a browser sends them."""
    if not isinstance(value, list) or not all(isinstance(origin, str) for origin in value):
        raise ValidationError(_('must be a list of texts, such as ["https://www.shop.example"]'))
    for origin in value:
        try:
            ORIGIN(origin)
        except ValidationError as error:
            raise ValidationError(f"{origin!r} {error.messages[0]}") from None


def validate_scopes(value: object) -> None:
    """Raise unless ``value`` is a list of one or more of the scopes in the settings."""
    known: dict[str, str] = settings.OAUTH2_PROVIDER["SCOPES"]
    if not isinstance(value, list) or not value or any(scope not in known for scope in value):
        raise ValidationError(_("must be a list of one or more of %(known)s") % {"known": ", ".join(known)})


def validate_time_zone(value: str) -> None:
    """Raise unless ``value`` is a time zone of the IANA database."""
    if value not in available_timezones():
        raise ValidationError(
            _("%(value)s is no time zone; write one such as Europe/Berlin or America/New_York")
            % {"value": f"{value!r}"}
        )


class Site(models.Model):
    """A shop. Every Redis key, row, group and file path carries its ``slug``; it comes from the key alone."""

    slug = models.CharField(
        max_length=32,
        unique=True,
        validators=[
            RegexValidator(r"^[a-z][a-z0-9-]{0,31}$", gettext_lazy("Use lower-case letters, digits and dashes."))
        ],
        help_text=gettext_lazy(
            "Short name inside Redis keys and file paths. It cannot be changed once events have arrived."
        ),
    )
    name = models.CharField(max_length=100)
    url = models.URLField(blank=True, help_text=gettext_lazy("Address of the shop's home page."))
    origins = models.JSONField(
        default=list,
        blank=True,
        validators=[validate_origins],
        help_text=gettext_lazy(
            'Pages that may use the publishable key, such as ["https://www.shop.example"]. Empty: every '
            "origin, for trying out only."
        ),
    )
    currency = models.CharField(max_length=3, default="EUR", validators=[RegexValidator(r"^[A-Z]{3}$")])
    locale = models.CharField(max_length=35, default="en")
    time_zone = models.CharField(
        max_length=64,
        default="UTC",
        validators=[validate_time_zone],
        help_text=gettext_lazy("In which the schedules of rules are shown and entered, such as Europe/Berlin."),
    )
    events_per_minute = models.PositiveIntegerField(
        default=600_000, help_text=gettext_lazy("Quota of events of one key; 0 means no quota.")
    )
    requests_per_minute = models.PositiveIntegerField(
        default=60_000, help_text=gettext_lazy("Quota of recommendation requests of one key; 0 means no quota.")
    )
    address_requests_per_minute = models.PositiveIntegerField(
        default=1_200,
        help_text=gettext_lazy("Quota of requests of one network address with a publishable key; 0 means no quota."),
    )
    honours_gpc = models.BooleanField(
        gettext_lazy("honours Global Privacy Control"),
        default=True,
        help_text=gettext_lazy("Keep nothing of shoppers whose browser sends Sec-GPC: 1."),
    )
    token_secret = models.CharField(
        max_length=128,
        default=new_token_secret,
        editable=False,
        help_text=gettext_lazy("Signs the tokens with which identified shoppers prove themselves."),
    )
    is_active = models.BooleanField(default=True)
    first_event_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("slug",)

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which people of the shop write times."""
        return ZoneInfo(self.time_zone)


class ApiKey(models.Model):
    """A publishable (``pk_``) or secret (``sk_``) key of a site.

    A publishable key stands in the page and is kept as it is; of a secret one only its SHA-256 is kept.
    """

    class Kind(models.TextChoices):
        PUBLISHABLE = "pk", gettext_lazy("publishable")
        SECRET = "sk", gettext_lazy("secret")

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="keys")
    kind = models.CharField(max_length=2, choices=Kind.choices)
    label = models.CharField(max_length=100, blank=True)
    prefix = models.CharField(max_length=16, editable=False, help_text=gettext_lazy("What is shown of the key."))
    public_value = models.CharField(
        max_length=64, blank=True, editable=False, help_text=gettext_lazy("Publishable keys only.")
    )
    digest = models.CharField(
        max_length=64, unique=True, editable=False, help_text=gettext_lazy("SHA-256 of the key, in hex.")
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("-created_at",)
        verbose_name = gettext_lazy("API key")

    def __str__(self) -> str:
        return f"{self.prefix}…"


class OAuthClient(models.Model):
    """A server of the shop that gets short-lived tokens by OAuth2 client credentials, for one site and some scopes.

    The application row of django-oauth-toolkit holds its id and the hash of its secret.
    """

    application = models.OneToOneField(
        settings.OAUTH2_PROVIDER_APPLICATION_MODEL, on_delete=models.CASCADE, related_name="recsite_client"
    )
    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="oauth_clients")
    label = models.CharField(max_length=100)
    scopes = models.JSONField(
        default=list,
        validators=[validate_scopes],
        help_text=gettext_lazy("What its tokens may do at most: a list of scopes."),
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("-created_at",)
        verbose_name = gettext_lazy("OAuth client")

    def __str__(self) -> str:
        return self.label


class ClientCertificate(models.Model):
    """A certificate with which a server of the shop may stand in for a secret key, where nginx verified it (mTLS)."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="certificates")
    label = models.CharField(max_length=100)
    fingerprint = models.CharField(
        max_length=64, unique=True, editable=False, help_text=gettext_lazy("SHA-256 of the certificate (DER), in hex.")
    )
    subject = models.CharField(max_length=300, editable=False)
    expires_at = models.DateTimeField(editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("-created_at",)
        verbose_name = gettext_lazy("client certificate")

    def __str__(self) -> str:
        return self.label


class DeadLetter(models.Model):
    """A record or event that can never be applied as it is, with the reason and the raw bytes."""

    class Status(models.TextChoices):
        NEW = "new", gettext_lazy("new")
        RESENT = "resent", gettext_lazy("sent again")
        DISCARDED = "discarded", gettext_lazy("discarded")

    site = models.ForeignKey(Site, on_delete=models.CASCADE, null=True, blank=True, related_name="dead_letters")
    reason = models.CharField(
        max_length=64, db_index=True, help_text=gettext_lazy("Stable word, such as invalid_event.")
    )
    field = models.CharField(max_length=300, blank=True)
    detail = models.TextField(blank=True)
    raw = models.BinaryField(help_text=gettext_lazy("The bytes as they came."))
    key = models.CharField(max_length=300, blank=True, help_text=gettext_lazy("Key of the log record."))
    origin = models.CharField(max_length=16, help_text=gettext_lazy("collect or stream."))
    partition = models.IntegerField(null=True, blank=True)
    position = models.CharField(max_length=64, blank=True, help_text=gettext_lazy("Position in the log."))
    fingerprint = models.CharField(
        max_length=64, unique=True, help_text=gettext_lazy("Makes a repeated delivery harmless.")
    )
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.NEW, db_index=True)
    occurred_at = models.DateTimeField(default=timezone.now, db_index=True)
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-occurred_at",)

    def __str__(self) -> str:
        return f"{self.reason} {self.field}".strip()


class QuarantinedSource(models.Model):
    """Somebody whose events collect takes and drops: a network on one day, or one user key; and what was taken back.

    ``network`` is the keyed tag that records carry. It is of another value each UTC day, so such a row is of use for
    the events of one day alone.
    """

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="+")
    network = models.BigIntegerField(null=True, blank=True)
    user_key = models.CharField(max_length=200, blank=True)
    made_at = models.DateTimeField(default=timezone.now)
    tried_at = models.DateTimeField(null=True, blank=True)
    forgotten_at = models.DateTimeField(null=True, blank=True, help_text=gettext_lazy("Everything is taken back."))
    receipt = models.JSONField(default=dict, help_text=gettext_lazy("What was taken back from each store."))

    class Meta:
        ordering = ("-made_at",)
        constraints = (
            models.UniqueConstraint(fields=["site", "network"], name="one_row_per_network_tag"),
            models.UniqueConstraint(
                fields=["site", "user_key"],
                condition=~models.Q(user_key=""),
                name="one_row_per_quarantined_user_key",
            ),
        )
        verbose_name = gettext_lazy("quarantined source")
        verbose_name_plural = gettext_lazy("quarantined sources")

    def __str__(self) -> str:
        return _("source %(pk)s") % {"pk": self.pk}


class Membership(models.Model):
    """What somebody of the staff may do on a site: what a group of Django's may, on that site alone.

    Whoever is no superuser sees the sites that they are a member of, and nothing of the others.
    """

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.ForeignKey(
        "auth.Group",
        on_delete=models.PROTECT,
        related_name="memberships",
        help_text=gettext_lazy("Viewer, merchandiser, analyst, engineer, owner, or a group of your own."),
    )
    is_managed = models.BooleanField(
        default=False,
        editable=False,
        help_text=gettext_lazy("Whether the identity provider gave it, and may take it back."),
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["site", "user"]
        constraints = [models.UniqueConstraint(fields=["site", "user", "role"], name="one_membership_per_role")]
        permissions = [
            ("view_report", "Can see reports"),
            ("view_personal_data", "Can see what is kept of one person"),
        ]

    def __str__(self) -> str:
        return f"{self.user} at {self.site}"


class AuditEntry(models.Model):
    """Something that somebody changed, or read of a person: who, what, before and after, when, from where.

    Names are kept as texts, so that an entry says the same once what it names is gone.
    """

    class Kind(models.TextChoices):
        ADDED = "added", gettext_lazy("added")
        CHANGED = "changed", gettext_lazy("changed")
        DELETED = "deleted", gettext_lazy("deleted")
        DID = "did", gettext_lazy("did")
        READ = "read", gettext_lazy("read personal data")
        LOGIN = "login", gettext_lazy("logged in")
        REFUSED = "refused", gettext_lazy("was refused")

    at = models.DateTimeField(default=timezone.now, db_index=True)
    site = models.ForeignKey(Site, on_delete=models.SET_NULL, null=True, blank=True, related_name="audit_entries")
    actor = models.CharField(
        max_length=150, blank=True, db_index=True, help_text=gettext_lazy("Empty: the system itself.")
    )
    address = models.CharField(max_length=45, blank=True, help_text=gettext_lazy("Network address of the request."))
    kind = models.CharField(max_length=8, choices=Kind.choices)
    object_type = models.CharField(max_length=64, blank=True, db_index=True)
    object_id = models.CharField(max_length=64, blank=True)
    object_name = models.CharField(max_length=200, blank=True)
    what = models.CharField(max_length=500, blank=True)
    changes = models.JSONField(default=dict, blank=True, help_text=gettext_lazy("Field → [before, after]."))
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["-at", "-pk"]
        indexes = [models.Index(fields=["site", "-at"], name="audit_of_site")]
        verbose_name = gettext_lazy("audit log entry")
        verbose_name_plural = gettext_lazy("audit log")

    def __str__(self) -> str:
        return f"{self.actor or 'system'} {self.kind} {self.object_name}".strip()
