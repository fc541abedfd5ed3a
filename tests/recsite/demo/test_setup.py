"""The demo's site, login and pages of items."""

from __future__ import annotations

from typing import Any

from django.test import Client

from features.feeds import upsert_items
from recsite.demo.catalogue import Product
from recsite.demo.setup import ensure_admin, ensure_site, give_pages


def test_items_of_a_real_log_get_a_page_and_a_picture(shop: list[Product], client: Client) -> None:
    site, _ = ensure_site()
    upsert_items(site, [{"item_id": "85123A", "title": "WHITE HANGING HEART"}, {"item_id": "a b/c", "title": "Odd"}])

    assert give_pages(site) == 1

    assert "WHITE HANGING HEART" in client.get("/p/85123A/").content.decode()
    assert "WH" in client.get("/demo/pictures/85123A.svg").content.decode()


def test_the_admins_password_is_never_one_that_others_chose(db: None, tmp_path: Any, django_user_model: Any) -> None:
    django_user_model.objects.create_superuser("admin", "", "my own password")
    assert ensure_admin(tmp_path / "password") is None
    assert not (tmp_path / "password").exists()
