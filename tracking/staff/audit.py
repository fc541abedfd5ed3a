"""The audit log: who changed what, from what to what, when and from where; and who read what is kept of a person.

Changes of rows are noted by Django's signals while a request of the staff is answered, so no page has to think of it.
What signals do not see (an action on many rows at once, a reading) is noted by ``note``.
"""

from __future__ import annotations

import contextvars
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import LogEntry
from django.contrib.auth.signals import user_logged_in
from django.core.exceptions import PermissionDenied
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model, QuerySet
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

from tracking.http.current import request_id
from tracking.http.request import request_of
from tracking.models import AuditEntry, Site
from tracking.staff.sites import answer_for, site_id_of

Kind = AuditEntry.Kind

SECRET_PARTS: Final = ("secret", "password", "digest", "public_value", "raw", "key", "token")
"""Fields whose name has one of these are named, and their values are not kept."""
NOT_WATCHED: Final = frozenset(
    {
        "sessions.session", "admin.logentry", "tracking.auditentry", "contenttypes.contenttype", "axes.accesslog",
        "axes.accessattempt", "axes.accessfailurelog", "recommendations.reporthour", "recommendations.reportitemday",
        "recommendations.reportstate", "recommendations.healthreport", "features.rfmsnapshot",
        "oauth2_provider.accesstoken", "oauth2_provider.refreshtoken", "django_celery_beat.periodictasks",
    }
)  # fmt: skip
"""What writes itself, or is a log already."""
NOT_TOLD: Final = frozenset({"updated_at", "updated_by", "revision", "last_login", "changed_at", "last_used_at"})
MAX_CHARS: Final = 2_000
MAX_ROWS: Final = 500
HIDDEN: Final = "(hidden)"
_BEFORE: Final = "_recsite_before"
_CREDENTIALS: Final = re.compile(r"//[^/@\s]+@")


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who asks, and from where."""

    name: str
    address: str


_actor: contextvars.ContextVar[Actor | None] = contextvars.ContextVar("actor", default=None)


def actor_of(request: HttpRequest) -> Actor:
    """Return who a request is from."""
    return Actor(
        name=request.user.get_username() if hasattr(request, "user") else "", address=request_of(request).address
    )


class ActorMiddleware(MiddlewareMixin):
    """Remembers who of the staff asks while a request is answered, notes refusals, and shows one banner for each."""

    def process_request(self, request: HttpRequest) -> None:
        """Remember who asks."""
        user = getattr(request, "user", None)
        is_page = request.path_info.startswith("/admin/")
        is_staff = is_page and user is not None and user.is_authenticated
        _actor.set(actor_of(request) if is_staff else None)
        answer_for(user if is_staff else None)

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Note what was refused."""
        if isinstance(exception, PermissionDenied) and _actor.get() is not None:
            note(Kind.REFUSED, what=f"{request.method} {request.path_info}"[:500])

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Forget who asked: the thread serves others. Where something was refused, nothing says that it went well.

        An action on many rows is refused for some and done for others, and says both.
        """
        _actor.set(None)
        answer_for(None)
        queued = getattr(getattr(request, "_messages", None), "_queued_messages", [])
        is_refused = any(message.level_tag == "error" for message in queued)
        if is_refused and ACTION_CHECKBOX_NAME not in request.POST:
            queued[:] = [message for message in queued if message.level_tag != "success"]
        return response


def note(
    kind: str,
    *,
    what: str = "",
    row: Model | None = None,
    site: Site | int | None = None,
    changes: Mapping[str, Any] | None = None,
) -> None:
    """Write an entry for whoever asks; without a request it is the system's own and nothing is written.

    Parameters
    ----------
    kind : Kind
    row : Model or None
        What it is about; its site and name are noted.
    changes : mapping or None
        Field → [before, after].
    """
    actor = _actor.get()
    if actor is None:
        return
    site_id = site.pk if isinstance(site, Site) else site
    if site_id is None and row is not None:
        site_id = site_id_of(row)
    AuditEntry.objects.create(
        actor=actor.name[:150],
        address=actor.address[:45],
        kind=kind,
        site_id=site_id if site_id is None or Site.objects.filter(pk=site_id).exists() else None,
        object_type=str(row._meta.verbose_name)[:64] if row is not None else "",
        object_id=str(row.pk)[:64] if row is not None else "",
        object_name=str(row)[:200] if row is not None else "",
        what=what[:500],
        changes=dict(changes or {}),
        request_id=(request_id() or "")[:64],
    )


def note_reading(person: str, *, site: Site, what: str) -> None:
    """Note that somebody of the staff looked at what is kept of a person."""
    note(Kind.READ, site=site, what=f"{what}: {person}")


def note_bulk(rows: QuerySet[Any], values: Mapping[str, Any]) -> None:
    """Note what ``QuerySet.update`` is about to do, which tells nobody: one entry a site, with the rows' values before.

    Of more rows than ``MAX_ROWS`` the first are named, and how many there were.
    """
    if _actor.get() is None or not values:
        return
    by_site: dict[int | None, list[Any]] = defaultdict(list)
    for row in rows:
        by_site[site_id_of(row)].append(row)
    for site_id, found in by_site.items():
        changes = {
            name: [{str(row): _shown(field, field.value_from_object(row)) for row in found[:MAX_ROWS]}, value]
            for name, value in values.items()
            for field in (rows.model._meta.get_field(name),)
        }
        plural = str(rows.model._meta.verbose_name_plural)
        note(Kind.CHANGED, site=site_id, what=f"{len(found):,} {plural} at once", changes=changes)


def connect() -> None:
    """Listen to what changes; called once when the application is ready."""
    for signal, receiver in (
        (pre_save, _before_save), (post_save, _after_save), (post_delete, _after_delete), (m2m_changed, _m2m_changed),
        (user_logged_in, _logged_in),
    ):  # fmt: skip
        signal.connect(receiver, dispatch_uid=f"audit-{receiver.__name__}", weak=False)


def _is_watched(sender: Any) -> bool:
    return _actor.get() is not None and sender._meta.label_lower not in NOT_WATCHED and not sender._meta.auto_created


def _before_save(sender: Any, instance: Model, raw: bool = False, **kwargs: Any) -> None:
    if not raw and _is_watched(sender):
        before = sender._base_manager.filter(pk=instance.pk).values().first() if instance.pk is not None else None
        setattr(instance, _BEFORE, before)


def _after_save(sender: Any, instance: Model, created: bool, raw: bool = False, **kwargs: Any) -> None:
    if sender is LogEntry:
        _told(instance)
    if raw or not _is_watched(sender):
        return
    before = getattr(instance, _BEFORE, None) or {}
    changes = {
        field.name: [None if created else old, new]
        for field in sender._meta.concrete_fields
        if field.name not in NOT_TOLD and not field.primary_key
        for old, new in ((_shown(field, before.get(field.attname)), _shown(field, field.value_from_object(instance))),)
        if before.get(field.attname) != field.value_from_object(instance) and (not created or new not in (None, "", []))
    }
    if created or changes:
        note(Kind.ADDED if created else Kind.CHANGED, row=instance, changes=changes)


def _after_delete(sender: Any, instance: Model, **kwargs: Any) -> None:
    if _is_watched(sender):
        values = {
            field.name: [_shown(field, field.value_from_object(instance)), None]
            for field in sender._meta.concrete_fields
            if field.attname in instance.__dict__  # what a screen left out of its query is gone with the row
            and field.name not in NOT_TOLD
            and field.value_from_object(instance) not in (None, "", [])
        }
        note(Kind.DELETED, row=instance, changes=values)


def _m2m_changed(
    sender: Any, instance: Model, action: str, pk_set: Any = None, model: Any = None, **kwargs: Any
) -> None:
    if _actor.get() is None or action not in ("post_add", "post_remove", "pre_clear"):
        return
    if type(instance)._meta.label_lower in NOT_WATCHED:
        return
    name = sender._meta.model_name.rpartition("_")[2]
    if action == "pre_clear":
        manager = getattr(instance, name, None)
        names = sorted(map(str, manager.all())) if manager is not None else []
    else:
        names = sorted(map(str, model._base_manager.filter(pk__in=pk_set)))
    if names:
        pair = [None, names] if action == "post_add" else [names, None]
        note(Kind.CHANGED, row=instance, changes={name: pair})


def _told(entry: Any) -> None:
    """Note what a page says in words of its own; what it says of fields, the signals say with values."""
    message = str(entry.change_message)
    if _actor.get() is not None and message and not message.startswith("["):
        found = None
        if entry.content_type is not None and entry.content_type.model_class() is not None:
            found = entry.content_type.model_class()._base_manager.filter(pk=entry.object_id or None).first()
        note(Kind.DID, row=found, what=message if found is not None else f"{entry.object_repr}: {message}")


def _logged_in(sender: Any, request: HttpRequest, user: Any, **kwargs: Any) -> None:
    token = _actor.set(Actor(name=user.get_username(), address=request_of(request).address))
    try:
        note(Kind.LOGIN)
    finally:
        _actor.reset(token)


def _shown(field: Any, value: Any) -> Any:
    if any(part in field.name for part in SECRET_PARTS) and field.related_model is None:
        return HIDDEN if value else value
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | dict):
        text = _ENCODE(value)
        return value if len(text) <= MAX_CHARS else f"{text[:MAX_CHARS]}…"
    text = _CREDENTIALS.sub(f"//{HIDDEN}@", str(value))
    return text if len(text) <= MAX_CHARS else f"{text[:MAX_CHARS]}…"


_ENCODE: Final = DjangoJSONEncoder().encode
