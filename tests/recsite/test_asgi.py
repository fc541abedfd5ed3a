"""Routes: hot paths are answered beside Django, everything else by Django, unknown sockets by nobody."""

from __future__ import annotations

from typing import Any

import pytest

from recsite import asgi

HOT = ["/v1/events", "/livez", "/readyz", "/v1/recommendations"]


def route_of(path: str) -> Any:
    return next(route.callback for route in asgi.http_routes if route.resolve(path.removeprefix("/")))


@pytest.mark.parametrize("path", HOT)
def test_a_hot_path_does_not_reach_django(path: str) -> None:
    assert route_of(path) is not asgi.django_application


@pytest.mark.parametrize("path", ["/admin/", "/v1/items", "/metrics", "/nothing-here"])
def test_everything_else_is_djangos(path: str) -> None:
    assert route_of(path) is asgi.django_application


async def test_a_socket_of_an_unknown_address_is_closed_before_it_is_accepted() -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    await asgi.application({"type": "websocket", "path": "/v1/nothing", "headers": []}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]
