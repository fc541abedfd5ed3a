"""What screens write of rows that somebody may look at and not change."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from tracking.models import Site
from tracking.staff.scoped import listed


def test_json_that_cannot_be_changed_is_written_in_words() -> None:
    assert listed("<div><pre><span>[</span> <span>]</span></pre></div><div><pre>[]</pre></div>", empty="any") == "any"
    assert listed("<pre>[\n &quot;champions&quot;,\n &quot;a&lt;b&quot;\n]</pre>", empty="any") == "champions, a&lt;b"
    kept = '<pre>{"a": 1}</pre>'
    assert listed(kept, empty="-") == kept
    assert listed("-", empty="any") == listed("", empty="any") == "any"


@pytest.mark.django_db
def test_a_new_form_begins_with_the_site_where_there_is_only_one(client: Client) -> None:
    shop = Site.objects.create(slug="shop", name="Shop")
    client.force_login(get_user_model().objects.create_superuser("anna"), "django.contrib.auth.backends.ModelBackend")

    def chosen(name: str) -> object:
        return client.get(reverse(f"admin:{name}_add")).context["adminform"].form.initial.get("site")

    names = ("recommendations_campaign", "recommendations_holdout", "recommendations_experiment")
    assert {chosen(name) for name in names} == {shop.pk}
    Site.objects.create(slug="outlet", name="Outlet")
    assert {chosen(name) for name in names} == {None}
