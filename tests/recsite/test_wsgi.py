"""The entry point for servers that serve Django's own pages only."""

from __future__ import annotations

from django.core.handlers.wsgi import WSGIHandler


def test_it_is_djangos_application() -> None:
    from recsite.wsgi import application

    assert isinstance(application, WSGIHandler)
