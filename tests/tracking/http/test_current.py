"""Each request is its own task's, and nobody's outside of it."""

from __future__ import annotations

import asyncio

from tests.tracking.asgi_client import call
from tracking.http.current import request_id
from tracking.http.edge import HotPath
from tracking.http.request import Reply, Request


async def test_requests_that_are_answered_at_once_keep_their_ids_apart() -> None:
    all_are_there = asyncio.Barrier(8)

    async def answer(request: Request) -> Reply:
        await all_are_there.wait()
        return Reply((request_id() or "").encode())

    outside = request_id()
    path = HotPath(answer, name="recommend")
    ids = [f"request-{number:08d}" for number in range(8)]
    tasks = [asyncio.create_task(call(path, b"{}", headers={"X-Request-Id": one})) for one in ids]

    assert [reply.body.decode() for reply in await asyncio.gather(*tasks)] == ids
    assert request_id() == outside
