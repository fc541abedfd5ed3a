"""A function that fails, anywhere between the user and the reply, costs the shop no page.

Every function of ours that runs while a list is made is made to fail once: what only some of them did right would be
found here, and so is what is written tomorrow.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

import recommendations
from recommendations.http.recommend import recommend_application
from recommendations.metrics import PIPELINE_ERRORS
from recommendations.serving.faults import Part, aside
from tests.recommendations.conftest import ANONYMOUS, Shop, forget_lists
from tests.tracking.asgi_client import Answered, call

ROOT = Path(recommendations.__file__).parent
GUARDED = ("pipeline", "retrieval", "items", "serving", "state", "core")
WITHOUT_ITS_LIKE = {
    "schemas.py", "parts.py", "rec_ids.py", "requests.py", "placements.py", "faults.py", "quotas.py", "deadline.py",
}  # fmt: skip
"""What no reply can do without, whoever made its lists: time, JSON, signed ids, the placements of the site."""

GUARDS = {"state_of", "watch_site", "read_user", "make_lists", "offer", "reply_of", "price_request"}
"""Whose own first line stands outside of what they guard."""


def test_what_stands_aside_fails_alone(caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest) -> None:
    request.applymarker(pytest.mark.expects_errors(r"lists\.failed"))
    failed = PIPELINE_ERRORS.labels("shop", Part.ASIDE.value)
    before = failed._value.get()

    with aside("shop"):
        raise ZeroDivisionError("a mistake of ours")

    assert failed._value.get() == before + 1
    assert "lists.failed site=shop placement= step=aside" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def guarded(code: CodeType) -> bool:
    path = Path(code.co_filename)
    if not path.is_relative_to(ROOT) or path.name in WITHOUT_ITS_LIKE or code.co_name in GUARDS:
        return False
    return path.relative_to(ROOT).parts[0] in GUARDED


@pytest.fixture
def stocked(shop: Shop) -> Shop:
    for number in range(12):
        shop.add(f"sku{number}", category="Shoes" if number % 2 else "Hats", group_id=f"g{number // 2}")
    shop.load()
    shop.remember("sku5", "sku7", now_ms=int(time.time() * 1000))
    return shop


@contextmanager
def profiled(hook: Any) -> Iterator[None]:
    sys.setprofile(hook)
    try:
        yield
    finally:
        sys.setprofile(None)


async def request_lists(shop: Shop) -> Answered:
    placements = [{"placement": name, "limit": 3} for name in ("home_for_you", "home_new")]
    body = {"key": shop.publishable, "anonymous_id": ANONYMOUS, "cart": ["sku2"], "placements": placements}
    return await call(recommend_application, json.dumps(body).encode(), path="/v1/recommendations")


@pytest.mark.redis
@pytest.mark.expects_errors(r"lists\.failed")
async def test_whatever_function_fails_the_answer_is_a_page_without_what_the_user_has(
    stocked: Shop, settings: Any
) -> None:
    settings.INFERENCE_THREADS = 1  # so that everything runs in this thread
    seen: dict[CodeType, None] = {}

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and guarded(frame.f_code):
            seen[frame.f_code] = None

    await request_lists(stocked)
    forget_lists()
    with profiled(note):
        assert (await request_lists(stocked)).status == 200
    broken: dict[str, object] = {}
    for code in seen:

        def fail(frame: FrameType, event: str, argument: Any, code: CodeType = code) -> None:
            if event == "call" and frame.f_code is code:
                raise ZeroDivisionError("a mistake of ours")  # once: a profiler that fails is removed

        forget_lists()
        with profiled(fail):
            answer = await request_lists(stocked)
        results = answer.json.get("results", [])
        shown = {item["item_id"] for each in results for item in each["items"]}
        if answer.status != 200 or len(results) != 2 or {"sku2", "sku3"} & shown:
            broken[f"{Path(code.co_filename).name}:{code.co_qualname}"] = (answer.status, shown)
    assert len(seen) > 60
    assert not broken, sorted(broken)
