"""A record in quarantine is listed, shown, and sent again once the mistake is mended; then it counts once."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from features.state import windows
from features.stream import quarantine
from tests.features.conftest import World
from tests.features.making import event, record, wire
from tracking.models import DeadLetter, Site

pytestmark = [pytest.mark.redis, pytest.mark.django_db]
Worlds = Callable[..., World]


def run(*words: str) -> str:
    out = io.StringIO()
    call_command("stream", "quarantine", *words, stdout=out)
    return out.getvalue()


@pytest.fixture
def broken(worlds: Worlds, settings: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world in which the count of one record of two failed, mended since."""
    Site.objects.get_or_create(slug="shop", defaults={"name": "Shop"})
    world = worlds("redis")
    settings.EVENT_LOG_URL, settings.REDIS_URL = world.log_url, world.redis_url
    real = windows.pane_increments

    def breaks(effects: Any, **kwargs: Any) -> Any:
        if any(effect.item_id == "bad" for effect in effects):
            raise OverflowError("int too large to convert")
        return real(effects, **kwargs)

    world.fill([wire(record(event("view_item", items=[item]))) for item in ("good", "bad")])
    with monkeypatch.context() as patch:
        patch.setattr(windows, "pane_increments", breaks)
        world.drain()
    return world


@pytest.mark.expects_errors(r"stream\.(batch_failed|quarantined)")
def test_what_waits_is_listed_shown_and_released_and_counts_once(broken: World) -> None:
    assert broken.ledger() == {"applied": 1, "dead_lettered": 1}

    listed = run("list")
    (letter,) = quarantine.waiting()
    assert f"{letter.pk} " in listed
    assert f" shop  {letter.partition}/{letter.position}  OverflowError: int too large to convert" in listed
    assert '"bad"' in run("show", str(letter.pk))

    assert run("release", "--all").startswith("1 records sent again, 0 could not be sent.")
    broken.drain()

    assert broken.ledger() == {"applied": 2, "dead_lettered": 1}
    assert run("list") == "0 records in quarantine.\n"
    with pytest.raises(CommandError, match=rf"number {letter.pk}: .*quarantine list"):
        run("release", str(letter.pk))


@pytest.mark.expects_errors(r"stream\.(batch_failed|quarantined)")
def test_what_is_given_up_waits_no_more(broken: World) -> None:
    (letter,) = quarantine.waiting()

    assert run("discard", str(letter.pk)) == "1 records given up.\n"
    assert DeadLetter.objects.get(pk=letter.pk).status == DeadLetter.Status.DISCARDED
    assert not quarantine.waiting()


def test_a_release_of_nothing_says_what_to_name() -> None:
    with pytest.raises(CommandError, match="name the numbers of records, or --all"):
        run("release")
