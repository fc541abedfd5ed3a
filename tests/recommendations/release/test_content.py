"""A shop with a catalogue and no events gets similar lists, and new items join them without a training."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.management import CommandError, call_command

from features.models import Item
from recommendations import tasks
from recommendations.http.recommend import recommend_application
from recommendations.release import content
from recommendations.release.content import refresh_content
from recommendations.state.content import watch_content
from recommendations.versions.content import content_folder
from tests.recommendations.conftest import ANONYMOUS, Shop
from tests.recommendations.inference.test_encoders import encoder_folder
from tests.tracking.asgi_client import call

pytestmark = [pytest.mark.redis]
TITLES = {
    "lantern": "White metal lantern", "lantern2": "Black metal lantern, large", "holder": "Glass t-light holder",
    "holder2": "T-light holders, glass, set of six", "mug": "Stoneware mug", "mug2": "Mug of stoneware, blue",
}  # fmt: skip


@pytest.fixture
def young(shop: Shop) -> Shop:
    """Return a shop of six items without categories, of which nobody looked at any."""
    for item_id, title in TITLES.items():
        shop.add(item_id, title=title, brand="", category="")
    return shop


async def similar(shop: Shop, item_id: str, *, limit: int = 1) -> list[str]:
    body: dict[str, Any] = {
        "key": shop.publishable, "placement": "product_similar", "context_items": [item_id], "limit": limit,
        "anonymous_id": ANONYMOUS,
    }  # fmt: skip
    reply = (await call(recommend_application, json.dumps(body).encode())).json
    return [item["item_id"] for item in reply["results"][0]["items"] if item["reason"] in ("content", "fresh")]


def served_from(shop: Shop) -> None:
    watch_content(shop.site.slug).reload()
    shop.load()


@pytest.mark.asyncio
async def test_before_any_traffic_similar_lists_say_what_is_alike_and_new_items_join(young: Shop) -> None:
    await sync_to_async(served_from)(young)
    assert await similar(young, "lantern") == []

    await sync_to_async(refresh_content)(young.site)
    await sync_to_async(served_from)(young)

    assert [await similar(young, item_id) for item_id in ("lantern", "holder2", "mug")] == [
        ["lantern2"], ["holder"], ["mug2"],
    ]  # fmt: skip

    await sync_to_async(young.add)("lantern3", title="White metal lantern, small", brand="", category="")
    made = await sync_to_async(refresh_content)(young.site)
    await sync_to_async(served_from)(young)
    assert made is not None
    assert made.encoded == 1
    assert await similar(young, "lantern") == ["lantern3"]


def test_what_changed_nothing_makes_no_table_and_a_price_encodes_nothing(young: Shop) -> None:
    first = refresh_content(young.site)
    assert first is not None
    assert first.encoded == len(TITLES)
    assert refresh_content(young.site) is None

    item = Item.objects.get(site=young.site, item_id="mug")
    item.price_minor = 999
    item.save()
    again = refresh_content(young.site)

    assert again is not None
    assert again.encoded == 0
    assert again.table.version > first.table.version
    item.is_active = False
    item.save()
    last = refresh_content(young.site)
    assert last is not None
    assert "mug" not in last.table.load_ids()


def test_two_processes_do_not_do_the_same_work(young: Shop) -> None:
    folder = content_folder(young.site.slug)
    folder.mkdir(parents=True)
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert refresh_content(young.site) is None

    assert refresh_content(young.site) is not None


def test_a_table_that_cannot_be_read_is_made_from_nothing(young: Shop) -> None:
    first = refresh_content(young.site)
    assert first is not None
    (content_folder(young.site.slug) / first.table.version / "digests.npy").write_bytes(b"")
    Item.objects.filter(site=young.site, item_id="mug").update(title="Mug")
    Item.objects.get(site=young.site, item_id="mug").save()

    again = refresh_content(young.site)

    assert again is not None
    assert again.encoded == len(TITLES)


def test_the_task_makes_the_table_of_each_site(young: Shop) -> None:
    tasks.refresh_content()

    assert watch_content(young.site.slug).ensure_loaded() is not None


def test_the_command_says_what_it_did(young: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("content", site=young.site.slug)
    call_command("content", site=young.site.slug)

    said = capsys.readouterr().out
    assert "6 items, 6 products encoded by lexical" in " ".join(said.split())
    assert "nothing changed" in said


def test_an_item_is_read_with_its_product_its_attributes_and_its_tags(young: Shop) -> None:
    young.add("boot", title="Boot", group_id="g", attributes={"colour": "red"}, tags=["new"], description="Warm.")

    (boot,) = [item for item in content.items_of(young.site) if item.item_id == "boot"]

    assert (boot.unit, boot.attributes, boot.tags, boot.description) == ("g", {"colour": "red"}, ("new",), "Warm.")


def test_a_configured_encoder_makes_the_vectors_and_one_that_cannot_is_said(
    young: Shop, tmp_path: Path, settings: Any
) -> None:
    lexical = refresh_content(young.site)
    settings.TEXT_ENCODER = str(encoder_folder(tmp_path / "encoder"))

    made = refresh_content(young.site)

    assert lexical is not None
    assert made is not None
    assert made.table.encoder.startswith("onnx:")
    assert (made.encoded, made.table.vectors.shape[1]) == (len(TITLES), 6)
    assert refresh_content(young.site) is None

    settings.TEXT_ENCODER = str(tmp_path / "nowhere")
    with pytest.raises(CommandError, match="is not a folder"):
        call_command("content", site=young.site.slug)
    held = watch_content(young.site.slug).ensure_loaded()
    assert held is not None
    assert held.version == made.table.version
