"""What a run left out, named in its closing lines; also when tests run in processes that have no last word."""

from __future__ import annotations

from typing import Any

import pytest

_NOTES = pytest.StashKey[dict[str, str]]()
_SENT = "left_out"


def note(config: pytest.Config, part: str, remedy: str) -> None:
    """Remember that ``part`` is missing on this machine, and how to get it."""
    config.stash.setdefault(_NOTES, {})[part] = remedy


def noted(config: pytest.Config) -> dict[str, str]:
    """Return what is missing, in order of its name: part → remedy."""
    return dict(sorted(config.stash.get(_NOTES, {}).items()))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In one of several processes: send the notes to the one that writes the closing lines."""
    sent: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if sent is not None:
        sent[_SENT] = noted(session.config)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over the notes of a process that has ended."""
    for part, remedy in getattr(node, "workeroutput", {}).get(_SENT, {}).items():
        note(node.config, part, remedy)
