"""How many types and modules an uncached HTTP request passes through on its way to bytes.

A *carrier* is an object of ours that one function hands to a function of another module, as an argument or a result,
while the request is served, and that was made for this request. Not counted: the structs of ``serving.schemas``,
which are the request and the reply themselves; what ``tracking`` and ``features`` make (the HTTP request, the
identity, the features that were read); and seven plain values: ``Ranked`` (two arrays), ``Votes`` (three arrays),
``Deadline`` (a moment), ``RequestPrice`` (three numbers), ``Turn`` (a lock that is given back), ``Visit`` (seven texts
of the request) and ``ActiveRules`` (a sequence of rules that were compiled before). What a library calls for a function
of ours, such as a cached property, is called by that function.
"""

from __future__ import annotations

import dataclasses
import json
import re
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
from tests.recommendations.conftest import ANONYMOUS, Shop
from tests.tracking.asgi_client import call

pytestmark = pytest.mark.redis

ROOT = Path(recommendations.__file__).parent
SERVING = (ROOT.parent / "docs/serving.md").read_text()
CARRIERS = {"RequestUser", "SiteState", "ListQuery", "ServingContext", "PipelineState", "ListResult"}
"""Six, and no more: add a field to one of them before adding a seventh."""

MAX_MODULES = 25
"""That a carrier passes through; what only computes with numbers, texts or arrays is not counted."""

VALUES = {"Ranked", "Votes", "Deadline", "RequestPrice", "Turn", "Visit", "ActiveRules"}


@dataclasses.dataclass
class Trace:
    """What ran while a request was served."""

    modules: set[str] = dataclasses.field(default_factory=set)
    passed: dict[str, set[str]] = dataclasses.field(default_factory=dict)  # carrier -> modules that took or gave it
    made: set[str] = dataclasses.field(default_factory=set)

    def hook(self, frame: FrameType, event: str, argument: Any) -> None:
        """Note a call or a return, as ``sys.setprofile`` reports them."""
        code = frame.f_code
        if event == "call" and code.co_name == "__init__":
            self.made.add(_name_of(frame.f_locals.get("self")))
        module = _module_of(code)
        if module is None:
            return
        caller = _module_that_called(frame)
        if event == "call":
            self.modules.add(module)
            names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
            handed = [frame.f_locals.get(name) for name in names if name != "self"]
        elif event == "return":
            handed = [argument]
        else:
            return
        if caller == module:
            return
        for value in handed:
            for each in value if isinstance(value, list | tuple) else [value]:
                self.passed.setdefault(_name_of(each), set()).add(module)

    @property
    def carriers(self) -> set[str]:
        """The types that were made for this request and handed from module to module."""
        return (self.passed.keys() & self.made) - VALUES - {""}


def _module_of(code: CodeType) -> str | None:
    path = Path(code.co_filename)
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else None


def _module_that_called(frame: FrameType) -> str | None:
    back = frame.f_back
    while back is not None:
        if (module := _module_of(back.f_code)) is not None:
            return module
        back = back.f_back
    return None


def _name_of(value: object) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__.startswith("recommendations.") else ""


@contextmanager
def traced() -> Iterator[Trace]:
    """Trace what this thread runs."""
    trace = Trace()
    sys.setprofile(trace.hook)
    try:
        yield trace
    finally:
        sys.setprofile(None)


@pytest.fixture
def stocked(shop: Shop) -> Shop:
    for number in range(30):
        shop.add(f"sku{number}", category="Shoes" if number % 2 else "Hats")
    shop.load()
    shop.remember("sku1", "sku3", now_ms=int(time.time() * 1000))
    return shop


async def traced_request(shop: Shop) -> Trace:
    """Return the trace of one request for a list that is not cached, of a user with a history."""
    body = {"key": shop.publishable, "anonymous_id": ANONYMOUS, "placement": "home_for_you", "limit": 6}
    other = json.dumps({**body, "placement": "home_new"}).encode()
    await call(recommend_application, other, path="/v1/recommendations")  # whatever only the first request does
    with traced() as trace:
        answer = await call(recommend_application, json.dumps(body).encode(), path="/v1/recommendations")
    assert answer.status == 200
    assert answer.json["results"][0]["stage"] == "personalised"
    return trace


async def test_a_request_becomes_bytes_through_few_types_and_modules(stocked: Shop, settings: Any) -> None:
    settings.INFERENCE_THREADS = 1  # so that the thread that is traced makes the list

    trace = await traced_request(stocked)

    through = {module for name in trace.carriers for module in trace.passed[name]}
    assert trace.carriers == CARRIERS
    assert len(through) <= MAX_MODULES, sorted(through)


def test_the_page_on_serving_lists_the_carriers() -> None:
    table = re.search(r"^\| carrier \|.*\n\|[-|]+\n((?:\|.*\n)+)", SERVING, re.MULTILINE)

    assert table is not None
    assert set(re.findall(r"^\| `(\w+)` \|", table[1], re.MULTILINE)) == CARRIERS
