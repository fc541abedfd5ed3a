"""Every screen of the admin by every role: what may be opened is what the table says, and of one site alone."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.contrib.messages.storage.cookie import CookieStorage
from django.db import models
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import NoReverseMatch, URLPattern, reverse
from django.utils import timezone

from recommendations.models import Rule
from tracking.models import AuditEntry, Membership, Site
from tracking.staff.audit import ActorMiddleware
from tracking.staff.roles import ROLES, area_of, gives
from tracking.staff.sites import site_path

pytestmark = [pytest.mark.django_db, pytest.mark.redis, pytest.mark.filterwarnings("ignore:No directory at")]
ACTIONS = ("view", "add", "change", "delete")
NUMBERS = itertools.count(1)


def scoped_screens() -> list[Any]:
    return [one for model, one in admin.site._registry.items() if site_path(model) is not None]


def a_row(model: type[Any], site: Site, **given: Any) -> Any:
    """Make a row of any model on a site; its texts name the site, so that nobody else may read them."""
    if model is Site:
        return site
    values: dict[str, Any] = {}
    owner = {name: user for name, user in given.items() if name in {field.name for field in model._meta.fields}}
    for field in model._meta.concrete_fields:
        if field.primary_key or (field.has_default() and not field.unique) or (field.null and field.name != "site"):
            continue
        if isinstance(field, models.ForeignKey | models.OneToOneField):
            values[field.name] = site if field.related_model is Site else a_related(field.related_model, site)
        elif isinstance(field, models.DateTimeField):
            values[field.name] = timezone.now()
        elif isinstance(field, models.DateField):
            values[field.name] = dt.date(2026, 1, 1)
        elif isinstance(field, models.BinaryField):
            values[field.name] = b"{}"
        elif isinstance(field, models.CharField | models.TextField):
            name = f"only-{site.slug}-{next(NUMBERS)}"
            values[field.name] = (
                field.choices[0][0] if field.choices else name[-field.max_length :] if field.max_length else name
            )
        elif isinstance(field, models.IntegerField | models.FloatField | models.DecimalField):
            values[field.name] = 1
        elif isinstance(field, models.JSONField):
            values[field.name] = {}
    return model._base_manager.create(**{**values, **owner})


def a_related(model: type[Any], site: Site) -> Any:
    if site_path(model) is not None:
        return a_row(model, site)
    if model is Group:
        return Group.objects.get(name="Viewer")
    if model is get_user_model():
        return model.objects.create_user(f"colleague-{next(NUMBERS)}", is_staff=True)
    if model._meta.label_lower == "oauth2_provider.application":
        return model.objects.create(name=f"only-{site.slug}", client_type="confidential", authorization_grant_type="x")
    return model._base_manager.create()


@pytest.fixture
def own() -> Site:
    return Site.objects.create(slug="own-shop", name="only-own-shop")


@pytest.fixture
def other() -> Site:
    return Site.objects.create(slug="other-shop", name="only-other-shop")


def member(role: str, site: Site) -> Any:
    user = get_user_model().objects.create_user(f"{role.lower()} {next(NUMBERS)}", password=None, is_staff=True)
    Membership.objects.create(site=site, user=user, role=Group.objects.get(name=role))
    return user


def signed_in(user: Any) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_what_the_table_says_and_nothing_on_another_site(
    role: str, own: Site, other: Site, rf: RequestFactory
) -> None:
    request, everything = rf.get("/admin/"), rf.get("/admin/")
    request.user = member(role, own)
    everything.user = get_user_model().objects.create_superuser("root")
    differing = []
    for screen in scoped_screens():
        model = screen.model
        mine, theirs = a_row(model, own, owner=request.user), a_row(model, other)
        for action in ACTIONS:
            ask = getattr(screen, f"has_{action}_permission")
            rows = ((),) if action == "add" else ((mine,),)
            name = model._meta.model_name
            given = any(
                gives(role, model, f"{one}_{name}") for one in ((action, "change") if action == "view" else (action,))
            )
            expected = given and all(ask(everything, *row) for row in rows)
            if any(ask(request, *row) != expected for row in rows):
                differing.append((name, action, "own", expected))
            if action != "add" and ask(request, theirs):
                differing.append((name, action, "other", False))
        if theirs in screen.get_queryset(request):
            differing.append((model._meta.model_name, "list", "other", False))
    assert not differing


@pytest.mark.parametrize("role", ROLES)
def test_what_a_role_may_not_is_refused_by_the_pages_themselves(role: str, own: Site) -> None:
    client = signed_in(member(role, own))
    for screen in scoped_screens():
        app, name = screen.opts.app_label, screen.opts.model_name
        may_view = any(gives(role, screen.model, f"{action}_{name}") for action in ("view", "change"))
        row = a_row(screen.model, own)
        if not may_view:
            assert client.get(reverse(f"admin:{app}_{name}_changelist")).status_code == 403, name
            assert client.get(reverse(f"admin:{app}_{name}_change", args=[row.pk])).status_code == 403, name
        if not gives(role, screen.model, f"add_{name}") and name != "exchangerate":  # which has no form of its own
            assert client.post(reverse(f"admin:{app}_{name}_add"), {}).status_code == 403, name
        if not gives(role, screen.model, f"delete_{name}") and name != "exchangerate":
            assert client.post(reverse(f"admin:{app}_{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403


def _patterns(patterns: Any, prefix: str = "") -> Any:
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            yield prefix + str(pattern.pattern), pattern
        else:
            yield from _patterns(pattern.url_patterns, prefix + str(pattern.pattern))


def test_no_page_of_the_admin_shows_anything_of_another_site(own: Site, other: Site) -> None:
    client = signed_in(member("Owner", own))
    theirs: dict[str, Any] = {}
    for screen in scoped_screens():
        theirs[f"{screen.opts.app_label}_{screen.opts.model_name}"] = a_row(screen.model, other)
    shown, unopened, failed = [], [], set()
    for route, pattern in _patterns(admin.site.urls[0]):
        name = pattern.name or ""
        number = next((row.pk for model, row in theirs.items() if name.startswith(model)), None)
        if number is None and "<" in route:
            number = 1
        arguments = [number] * route.count("<")
        if any(skipped in name for skipped in ("logout", "jsi18n", "password", "view_on_site")) or not name:
            continue
        try:
            address = reverse(f"admin:{name}", args=arguments)
        except NoReverseMatch:
            unopened.append(name)
            continue
        for answer in (
            client.get(address, {"site": other.slug}),
            client.post(
                address, {"site": other.pk, "post": "yes", "action": "delete_selected", "_selected_action": number or 1}
            ),
        ):
            if answer.status_code == 500:
                failed.add(name)
            if answer.status_code == 200 and b"only-other-shop" in b"".join(
                answer.streaming_content if answer.streaming else [answer.content]
            ):
                shown.append(route)
    assert not shown
    assert unopened == ["app_list"]
    assert not failed
    for row in theirs.values():
        assert type(row)._base_manager.filter(pk=row.pk).exists(), row


def test_a_membership_elsewhere_does_not_let_an_action_loose_on_rows_here(own: Site, other: Site) -> None:
    user = member("Merchandiser", own)
    Membership.objects.create(site=other, user=user, role=Group.objects.get(name="Viewer"))
    mine, seen = (Rule.objects.create(site=site, name="r", action="boost") for site in (own, other))
    client = signed_in(user)
    answer = client.post(
        reverse("admin:recommendations_rule_changelist"),
        {"action": "delete_selected", "_selected_action": [mine.pk, seen.pk], "post": "yes"},
    )
    assert answer.status_code == 302
    assert set(Rule.objects.all()) == {seen}


def test_publishing_is_a_right_of_its_own(own: Site) -> None:
    rule = Rule.objects.create(site=own, name="r", action="boost", items=["S1"])
    action = {"action": "publish_selected", "_selected_action": [rule.pk]}
    address = reverse("admin:recommendations_rule_changelist")

    signed_in(member("Merchandiser (drafts only)", own)).post(address, action)
    rule.refresh_from_db()
    assert rule.published is None
    page = signed_in(member("Merchandiser (drafts only)", own)).get(
        reverse("admin:recommendations_rule_change", args=[rule.pk])
    )
    assert b"Save and publish" not in page.content

    assert (
        b"Save and publish"
        in signed_in(member("Merchandiser", own))
        .get(reverse("admin:recommendations_rule_change", args=[rule.pk]))
        .content
    )


@pytest.mark.parametrize(
    ("sent", "said"),
    [({}, ["Not published."]), ({"_selected_action": ["1", "2"]}, ["Not published.", "“r” was changed."])],
)
def test_a_refused_action_says_so_once_and_one_on_many_rows_what_was_done_too(
    rf: RequestFactory, sent: dict[str, list[str]], said: list[str]
) -> None:
    request = rf.post("/admin/", sent)
    request._messages = CookieStorage(request)  # type: ignore[attr-defined]
    answer = HttpResponse()
    messages.error(request, "Not published.")
    messages.success(request, "“r” was changed.")
    ActorMiddleware(lambda asked: answer).process_response(request, answer)
    assert [message.message for message in request._messages._queued_messages] == said  # type: ignore[attr-defined]


def test_every_model_of_a_site_is_of_one_area() -> None:
    named = {model._meta.model_name: area_of(model) for model in apps.get_models() if site_path(model) is not None}
    assert named["rule"] == named["placement"] == "merchandising"
    assert named["apikey"] == "keys"
    assert named["feed"] == "engineering"


def test_changes_are_in_the_audit_log_with_both_values_and_the_address(own: Site) -> None:
    rule = Rule.objects.create(site=own, name="Before", action="boost", items=["S1"])
    user = member("Merchandiser", own)
    client = signed_in(user)
    form = client.get(reverse("admin:recommendations_rule_change", args=[rule.pk])).context["adminform"].form
    data = {name: form.initial.get(name, "") for name in form.fields if form.initial.get(name) not in (None, [], {})}
    client.post(
        reverse("admin:recommendations_rule_change", args=[rule.pk]),
        {**data, "items": "S1", "name": "After", "placements": []},
        REMOTE_ADDR="198.51.100.9",
    )
    entry = AuditEntry.objects.filter(kind="changed", object_type="rule").first()
    assert entry is not None
    assert entry.changes["name"] == ["Before", "After"]
    assert (entry.actor, entry.address, entry.site) == (user.username, "198.51.100.9", own)


def test_secrets_are_not_in_the_audit_log(own: Site) -> None:
    client = signed_in(get_user_model().objects.create_superuser("root"))
    client.post(reverse("admin:tracking_site_new_secret", args=[own.pk]))
    before, own_secret = own.token_secret, Site.objects.get(pk=own.pk).token_secret
    said = " ".join(str(entry.changes) + entry.what for entry in AuditEntry.objects.all())
    assert "token_secret" in said
    assert own_secret not in said
    assert before not in said


def test_an_owner_reads_and_exports_the_log_of_their_site_alone(own: Site, other: Site) -> None:
    for site in (own, other):
        AuditEntry.objects.create(site=site, actor=f"only-{site.slug}", kind="changed", object_name="=cmd()")
    client = signed_in(member("Owner", own))
    page = client.get(reverse("admin:tracking_auditentry_changelist"))
    exported = b"".join(client.get(reverse("admin:tracking_auditentry_csv"), {"kind": "changed"}).streaming_content)
    assert b"only-own-shop" in page.content
    assert b"only-own-shop" in exported
    assert b"only-other-shop" not in page.content + exported
    assert b",=cmd()" not in exported


def test_screens_of_no_site_open_for_a_superuser_and_for_nobody_else(own: Site) -> None:
    root, owner = signed_in(get_user_model().objects.create_superuser("root")), signed_in(member("Owner", own))
    for screen in admin.site._registry.values():
        if site_path(screen.model) is None and not screen.opts.app_label.startswith("django_celery"):
            for page in ("changelist", "add"):
                address = reverse(f"admin:{screen.opts.app_label}_{screen.opts.model_name}_{page}")
                assert root.get(address).status_code in (200, 403), address
                assert owner.get(address).status_code == 403, address
