"""Pytest plugin: what shares costly fixtures runs in one process, where tests run in several (``-n 2``).

A file's tests stay together; those of a whole installation go by its event log, whatever their file. xdist has marks
for groups (``--dist loadgroup``), which do nothing with pytest 9.2: https://github.com/pytest-dev/pytest-xdist/issues/1386
"""

from __future__ import annotations

import re
from typing import Any, Final

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # says nothing of its types

INSTALLATIONS: Final = re.compile(r"tests/end_to_end/[^[]*\[(?:[^]]*-)?(redis|kafka)(?:-[^]]*)?\]$")
"""Names of tests that use an installation of their folder, and the event log of it."""


def group_of(nodeid: str) -> str:
    """Return what is the same for all tests that have to run in one process."""
    installation = INSTALLATIONS.match(nodeid)
    return f"installation-{installation[1]}" if installation else nodeid.partition("::")[0]


class Together(LoadScopeScheduling):  # type: ignore[misc]  # xdist's scheduler is untyped here
    """Deals the groups out in the order of their files: those that take long are not kept for the end."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    config.option.loadscopereorder = False
    return Together(config, log)
